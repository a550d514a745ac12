from __future__ import annotations

import io
import os
import re
import time

import pytest

from tests.bound import bound_python, closed
from tests.tools.conftest import HOUR_US, Desk
from tests.tools.samples import tool
from zerg_visibility.tools import search
from zerg_visibility.tools.search_worker import scan


def grep(desk: Desk, pattern: str, **args) -> str:
    return desk.answer("grep_commis", pattern=pattern, **args)


class TestFinding:
    def test_every_place_is_searched_newest_job_first(self, desk: Desk):
        old = desk.commis("Find the needle", result="a\nneedle here\n")
        desk.store.save_text(old.commis_id, "tool_calls/001_ls.txt", "hay\nhay\nneedle.txt\n")
        desk.commis("x", records=(tool(0, 1, "needle"),))
        assert grep(desk, "needle") == (
            "4 matches for 'needle' in the last 24 hours, newest job first:\n"
            'job 2 metrics.jsonl:1: {"event":"tool_call","tool":"needle",'
            '"start_ts":"2025-12-15T04:08:08.000000Z","end_ts":"2025-12-15T04:08:08.001000Z",'
            '"duration_ms":1,"success":true}\n'
            "job 1 task:1: Find the needle\n"
            "job 1 result.txt:2: needle here\n"
            "job 1 tool_calls/001_ls.txt:3: needle.txt"
        )

    async def test_the_same_asynchronously(self, desk: Desk):
        desk.commis("x", result="needle")
        found = desk.tool("grep_commis")
        args = {"pattern": "needle"}
        message = await found.ainvoke(
            {"name": found.name, "args": args, "id": "1", "type": "tool_call"}
        )
        assert message.content == (
            "1 match for 'needle' in the last 24 hours, newest job first:\n"
            "job 1 result.txt:1: needle"
        )

    @pytest.mark.parametrize(
        ("mode", "named"), [(0, "job 2 metrics.jsonl"), (0o444, "job 2 result.txt")]
    )
    def test_a_folder_that_may_not_be_entered_is_named_and_hides_no_other(
        self, desk: Desk, mode, named
    ):
        desk.commis("Find the needle")
        theirs = desk.commis("x", result="needle")
        code = """
            import sys
            from zerg_visibility import CommisStore, ConciergeToolkit
            toolkit = ConciergeToolkit(store=CommisStore(sys.argv[1]))
            tools = {tool.name: tool for tool in toolkit.get_tools()}
            print(tools["grep_commis"].invoke({"pattern": "needle"}))
        """
        with closed(theirs.folder, mode=mode):
            assert bound_python(code, desk.store.root) == (
                "1 match for 'needle' in the last 24 hours, newest job first:\n"
                "job 1 task:1: Find the needle\n"
                f"[Not searched to the end: {named}.]\n"
            )

    def test_a_fixed_string_is_taken_as_it_stands(self, desk: Desk):
        desk.commis("x", result="a.c\nabc\n(a+)+$\n")
        assert grep(desk, "a.c").endswith("first:\njob 1 result.txt:1: a.c")
        assert grep(desk, "(a+)+$").endswith("first:\njob 1 result.txt:3: (a+)+$")

    def test_a_regular_expression_if_asked(self, desk: Desk):
        desk.commis("x", result="a.c\nabc\nABC\n")
        assert grep(desk, "^(?i:a)[a-z]c$", regex=True).endswith("first:\njob 1 result.txt:2: abc")
        assert grep(desk, "(?i)abc", regex=True).startswith("2 matches for '(?i)abc' in")

    def test_no_match_says_how_much_was_searched(self, desk: Desk):
        desk.commis("old", ago_us=48 * HOUR_US)
        desk.commis()
        desk.commis()
        assert grep(desk, "nowhere") == "No match for 'nowhere' in 2 commis of the last 24 hours."

    def test_no_commis_says_so(self, desk: Desk):
        assert grep(desk, "x", since_hours=1) == (
            "No commis in the last hour. A larger since_hours looks further back."
        )

    def test_a_line_found_is_one_harmless_line(self, desk: Desk):
        desk.commis("x", result="\x1b[31mneedle\u2028job 9 task:1: forged\r\n")
        assert grep(desk, "needle").splitlines()[1:] == [
            "job 1 result.txt:1: [31mneedle job 9 task:1: forged"
        ]

    def test_a_long_line_is_shown_around_the_place(self, desk: Desk):
        desk.commis("x", result="a" * 1000 + "needle" + "b" * 1000)
        assert grep(desk, "needle").splitlines()[1:] == [
            f"job 1 result.txt:1: …{'a' * 60}needle{'b' * 134}…"
        ]

    def test_further_matches_are_counted(self, desk: Desk):
        desk.commis("x", result="needle\n" * 130)
        desk.commis("x", result="needle\n" * 20)
        lines = grep(desk, "needle").splitlines()
        assert lines[0] == "150 matches for 'needle' in the last 24 hours, newest job first:"
        assert lines[1] == "job 2 result.txt:1: needle"
        assert lines[50] == "job 1 result.txt:30: needle"
        assert lines[51:] == ["[100 matches left out; use a narrower pattern.]"]

    def test_an_answer_stays_within_its_bytes(self, desk: Desk):
        desk.commis("x", result=("needle" + "\N{GRINNING FACE}" * 150 + "\n") * 50)
        answer = grep(desk, "needle", toolkit={"max_bytes": 4000})
        assert len(answer.encode()) <= 4000
        assert answer.endswith("matches left out; use a narrower pattern.]")

    def test_more_files_than_are_open_at_once(self, desk: Desk):
        for number in range(3):
            made = desk.commis("x")
            for call in range(80):
                desk.store.save_text(made.commis_id, f"tool_calls/{call:03d}_a.txt", f"n{number}\n")
        assert grep(desk, "n0").startswith("80 matches for 'n0'")

    def test_links_and_pipes_are_not_followed(self, desk: Desk, tmp_path):
        (tmp_path / "outside.txt").write_text("needle\n")
        made = desk.commis("x")
        (made.folder / "link.txt").symlink_to(tmp_path / "outside.txt")
        (made.folder / "linked").symlink_to(tmp_path)
        os.mkfifo(made.folder / "pipe")
        assert grep(desk, "needle") == "No match for 'needle' in 1 commis of the last 24 hours."


class TestBounds:
    @pytest.mark.parametrize("pattern", ["", "two\nlines", "x" * 1001])
    def test_a_pattern_is_one_line(self, desk: Desk, pattern):
        assert desk.error("grep_commis", pattern=pattern) == (
            "Error: pattern must be one line of 1 to 1,000 characters."
        )

    @pytest.mark.parametrize("pattern", ["(", "[z-a]", "*", "(?P<n>"])
    def test_a_bad_regular_expression_is_explained(self, desk: Desk, pattern):
        error = desk.error("grep_commis", pattern=pattern, regex=True)
        assert error.startswith("Error: Not a regular expression: ")
        assert error.endswith(". Mend it, or use regex=False to find the text as it stands.")

    def test_hours_are_checked(self, desk: Desk):
        assert desk.error("grep_commis", pattern="x", since_hours=0) == (
            "Error: since_hours must be more than 0 and at most 100,000."
        )

    def test_a_regular_expression_that_never_ends_is_stopped(self, desk: Desk, monkeypatch):
        monkeypatch.setattr(search, "SEARCH_S", 2.0)
        desk.commis("x", result="a" * 60 + "!")
        began = time.monotonic()
        assert desk.error("grep_commis", pattern="(a+)+$", regex=True) == (
            "Error: The search was stopped after 2 seconds without a match for '(a+)+$'; "
            "use a plainer pattern, a fixed string or a smaller since_hours."
        )
        assert time.monotonic() - began < 4

    def test_what_was_found_before_it_was_stopped_is_kept(self, desk: Desk, monkeypatch):
        monkeypatch.setattr(search, "SEARCH_S", 2.0)
        desk.commis("x", result="a" * 60 + "!")
        desk.commis("x", result="aaa")
        assert grep(desk, "(a+)+$", regex=True) == (
            "1 match for '(a+)+$' in the last 24 hours, newest job first:\n"
            "job 2 result.txt:1: aaa\n"
            "[Not searched to the end: job 1 result.txt.]\n"
            "[The search was stopped after 2 seconds at job 1; older jobs were not searched.]"
        )

    def test_a_huge_line_is_searched_in_part(self, desk: Desk):
        made = desk.commis("x")
        with (made.folder / "huge.txt").open("wb") as file:
            file.write(b"needle")
            file.truncate(1_000_000_000)
        lines = grep(desk, "needle").splitlines()
        assert lines[0] == "1 match for 'needle' in the last 24 hours, newest job first:"
        assert lines[1].startswith("job 1 huge.txt:1: needle")
        assert lines[2:] == ["[Not searched to the end: job 1 huge.txt.]"]


class TestScan:
    def scan(self, data: bytes, needle: str, **bounds):
        bounds = {"keep": 10, "max_bytes": 10**9, "deadline": time.monotonic() + 60, **bounds}
        return scan(io.BytesIO(data), re.compile(needle).search, **bounds)

    def test_a_match_between_two_pieces_of_a_line_is_found_once(self):
        data = b"x\n" + b"a" * 65_533 + b"needle" + b"b" * 100_000 + b"\nneedle\n"
        found = self.scan(data, "needle")
        assert (found["count"], [number for number, _ in found["hits"]]) == (2, [2, 3])
        assert found["complete"] is True

    def test_it_stops_after_so_many_bytes(self):
        found = self.scan(b"needle\n" * 100, "needle", max_bytes=70)
        assert found["complete"] is False
        assert found["count"] == 11

    def test_it_stops_when_the_time_is_up(self):
        found = self.scan(b"needle\n", "needle", deadline=time.monotonic())
        assert found == {"count": 0, "hits": [], "complete": False}
