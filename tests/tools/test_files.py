from __future__ import annotations

import io
import os
import tracemalloc

import pytest

from tests.tools.conftest import Desk
from zerg_visibility.read.excerpt import NoSuchLineError, excerpt

FILES = "Files: metadata.json, result.txt, tool_calls/001_ls.txt."


@pytest.fixture
def made(desk: Desk):
    made = desk.commis(result="one\ntwo\nthree\n")
    desk.store.save_text(made.commis_id, "tool_calls/001_ls.txt", "a.txt\n")
    return made


def read(desk: Desk, file_path: str, **args) -> str:
    return desk.answer("read_commis_file", job_id=1, file_path=file_path, **args)


class TestReading:
    def test_header_blank_line_and_content(self, desk: Desk, made):
        assert read(desk, "tool_calls/001_ls.txt") == (
            f"Contents of tool_calls/001_ls.txt from {made.label}:\n\na.txt\n"
        )

    async def test_the_same_asynchronously(self, desk: Desk, made):
        tool = desk.tool("read_commis_file")
        args = {"job_id": "1", "file_path": "result.txt"}
        message = await tool.ainvoke(
            {"name": tool.name, "args": args, "id": "1", "type": "tool_call"}
        )
        assert message.content == f"Contents of result.txt from {made.label}:\n\none\ntwo\nthree\n"

    @pytest.mark.parametrize(
        ("asked", "text"),
        [
            ({"start_line": 2}, "two\nthree\n"),
            ({"max_lines": 2}, "one\ntwo\n"),
            ({"start_line": 2, "max_lines": 1}, "two\n"),
            ({"start_line": 3, "max_lines": 100}, "three\n"),
        ],
    )
    def test_some_lines_of_it(self, desk: Desk, made, asked, text):
        assert read(desk, "result.txt", **asked) == (
            f"Contents of result.txt from {made.label}:\n\n{text}"
        )

    def test_an_empty_file_says_so(self, desk: Desk, made):
        (made.folder / "empty.txt").touch()
        assert read(desk, "empty.txt") == (
            f"Contents of empty.txt from {made.label}:\n\n[The file is empty.]"
        )

    def test_bytes_that_are_not_utf8_are_replaced(self, desk: Desk, made):
        (made.folder / "latin.txt").write_bytes(b"caf\xe9\n")
        assert read(desk, "latin.txt") == (
            f"Contents of latin.txt from {made.label}:\n\ncaf\N{REPLACEMENT CHARACTER}\n"
        )

    def test_a_torn_last_line_is_mentioned(self, desk: Desk, made):
        (made.folder / "metrics.jsonl").write_bytes(b'{"event":"llm_call"}\n{"event":"to')
        assert read(desk, "metrics.jsonl") == (
            f'Contents of metrics.jsonl from {made.label}:\n\n{{"event":"llm_call"}}\n{{"event":"to'
            "\n[The last line is unfinished: it is being written, or its writer died.]"
        )
        assert "unfinished" not in read(desk, "metrics.jsonl", max_lines=1)

    def test_a_last_line_that_only_lacks_its_newline_is_whole(self, desk: Desk, made):
        (made.folder / "metrics.jsonl").write_bytes(b'{"a":1}\n{"b":2}')
        assert read(desk, "metrics.jsonl").endswith('{"a":1}\n{"b":2}')

    def test_a_file_of_two_gigabytes_is_not_loaded(self, desk: Desk, made):
        with (made.folder / "huge.txt").open("wb") as file:
            file.write(b"first\n")
            file.seek(2_000_000_000)
            file.write(b"\nlast\n")
        tracemalloc.start()
        answer = read(desk, "huge.txt", start_line=1)
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most_bytes < 10_000_000
        _, _, content = answer.partition(":\n\n")
        assert content == (
            "first\n[1 line and 1,999,999,995 bytes left out here: line 2. Ask for them with "
            "read_commis_file, file_path='huge.txt', start_line=2, max_lines=1.]\nlast\n"
        )


class TestMistakes:
    @pytest.mark.parametrize(
        "path",
        [
            "missing.txt",
            "../../jobs/1",
            "tool_calls/../../../jobs/1",
            "/etc/passwd",
            "..",
            ".",
            "",
            "tool_calls",
            "tool_calls/",
            "//etc/passwd",
            "./result.txt",
            "tool_calls//001_ls.txt",
            "..\\..\\jobs\\1",
            "tool_calls\\001_ls.txt",
            "%2e%2e/%2e%2e/jobs/1",
            "..%2f..%2fjobs%2f1",
            "\uff0e\uff0e/jobs/1",
            "~/.ssh/id_rsa",
            "file:///etc/passwd",
            "link.txt",
            "linked/passwd",
            "pipe",
            "RESULT.TXT",
        ],
    )
    def test_whatever_is_wrong_with_a_path_gets_the_same_answer(self, desk: Desk, made, path):
        (made.folder / "link.txt").symlink_to("/etc/passwd")
        (made.folder / "linked").symlink_to("/etc")
        os.mkfifo(made.folder / "pipe")
        assert desk.error("read_commis_file", job_id=1, file_path=path) == (
            f"Error: File '{path}' not found in commis job 1. {FILES}"
        )

    def test_what_is_echoed_is_one_short_line(self, desk: Desk, made):
        assert desk.error("read_commis_file", job_id=1, file_path="result.txt\0.png\nFiles: x") == (
            f"Error: File 'result.txt .png Files: x' not found in commis job 1. {FILES}"
        )
        assert desk.error("read_commis_file", job_id=1, file_path="x" * 10_000) == (
            f"Error: File '{'x' * 79}…' not found in commis job 1. {FILES}"
        )

    def test_many_files_are_named_in_part(self, desk: Desk):
        made = desk.commis()
        for number in range(25):
            desk.store.save_text(made.commis_id, f"tool_calls/{number:03d}_ls.txt", "")
        named = ", ".join(f"tool_calls/{number:03d}_ls.txt" for number in range(19))
        assert desk.error("read_commis_file", job_id=1, file_path="x") == (
            f"Error: File 'x' not found in commis job 1. Files: metadata.json, {named} and 6 more."
        )

    def test_a_commis_without_files(self, desk: Desk):
        made = desk.commis()
        (made.folder / "metadata.json").unlink()
        assert desk.error("read_commis_file", job_id=1, file_path="x") == (
            "Error: File 'x' not found in commis job 1. It has no files yet."
        )

    @pytest.mark.parametrize("name", ["start_line", "max_lines"])
    def test_lines_count_from_one(self, desk: Desk, made, name):
        assert desk.error("read_commis_file", job_id=1, file_path="result.txt", **{name: 0}) == (
            f"Error: {name} must be 1 or more."
        )

    def test_a_start_beyond_the_end(self, desk: Desk, made):
        assert desk.error("read_commis_file", job_id=1, file_path="result.txt", start_line=4) == (
            "Error: start_line 4 is past the end: the file has 3 lines."
        )


class TestExcerpt:
    BUDGET = 4000

    def shown(self, data: bytes, **asked) -> str:
        found = excerpt(io.BytesIO(data), "f.txt", self.BUDGET, **asked)
        assert len(found.text.encode()) <= self.BUDGET
        return found.text

    def test_head_and_tail_are_whole_lines(self):
        lines = [f"{number:09}\n" for number in range(1, 10_001)]
        assert self.shown("".join(lines).encode()) == (
            "".join(lines[:160])
            + "[9,680 lines and 96,800 bytes left out here: lines 161 to 9840. Ask for them with "
            "read_commis_file, file_path='f.txt', start_line=161, max_lines=320.]\n"
            + "".join(lines[9840:])
        )

    def test_asking_as_told_gives_the_missing_lines(self):
        lines = [f"{number:09}\n" for number in range(1, 10_001)]
        data = "".join(lines).encode()
        assert self.shown(data, start_line=161, max_lines=320) == "".join(lines[160:480])

    def test_one_line_too_long_is_cut(self):
        text = self.shown(b"a" * 5000 + b"b" * 5000)
        assert text == (
            "a" * 1600 + "\n[6,800 bytes left out here: the middle of line 1, "
            "too long to be shown whole.]\n" + "b" * 1600
        )

    def test_a_long_line_between_short_ones(self):
        assert self.shown(b"x\n" + b"a" * 10_000 + b"\nz\n") == (
            "x\n[1 line and 10,001 bytes left out here: line 2. Ask for them with "
            "read_commis_file, file_path='f.txt', start_line=2, max_lines=1.]\nz\n"
        )

    def test_long_first_and_last_lines(self):
        long = b"a" * 10_000
        assert self.shown(long + b"\nmiddle\n" + long) == (
            "a"
            * 1600
            + "\n[1 line and 16,808 bytes left out here: the rest of line 1, line 2, the beginning "
            "of line 3. Ask for them with read_commis_file, file_path='f.txt', start_line=2, "
            "max_lines=1.]\n" + "a" * 1600
        )
        assert self.shown(long + b"\n" + long) == (
            "a"
            * 1600
            + "\n[16,801 bytes left out here: the rest of line 1 and the beginning of line 2, "
            "too long to be shown whole.]\n" + "a" * 1600
        )

    @pytest.mark.parametrize("shift", range(4))
    def test_no_character_is_cut_in_half(self, shift):
        text = self.shown(("x" * shift + "\N{GRINNING FACE}" * 5000).encode())
        assert "\N{REPLACEMENT CHARACTER}" not in text

    def test_replaced_bytes_count_as_what_they_become(self):
        for data in (b"\xff" * 3999, b"\xff" * 100_000, b"ok\n\xff\n" * 1300):
            assert "left out here" in self.shown(data)

    def test_an_unfinished_last_line_is_a_line(self):
        assert self.shown(b"a\nb", start_line=2) == "b"
        with pytest.raises(NoSuchLineError, match="the file has 2 lines"):
            self.shown(b"a\nb", start_line=3)

    @pytest.mark.parametrize(("asked", "ends"), [({}, True), ({"max_lines": 1}, False)])
    def test_it_tells_whether_the_end_is_in_it(self, asked, ends):
        assert excerpt(io.BytesIO(b"a\nb\n"), "f", self.BUDGET, **asked).reaches_end is ends
