from __future__ import annotations

import pytest

from tests.tools.conftest import GONE, HOUR_US, Desk, age
from tests.tools.samples import THE_USUAL, begun, llm, tool
from zerg_visibility.clock import SYSTEM_CLOCK, format_us
from zerg_visibility.read.commis import CommisNow
from zerg_visibility.read.timeline import timeline
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.store.reading import LinesRead, OpenCalls
from zerg_visibility.store.runs import SegmentRun
from zerg_visibility.read.result import describe_last_event, render_result

COMMIS_ID = "2025-12-15T04-08-08_calculate-7-6"
HEADER = f"Result from commis job 123 (commis {COMMIS_ID}):\n\n"


def known(**values) -> CommisMetadata:
    return CommisMetadata(
        **{
            "commis_id": COMMIS_ID,
            "job_id": 123,
            "status": "success",
            "started_at": "2025-12-15T04:08:08.000000Z",
            "duration_ms": 98,
            **values,
        }
    )


STARTED_US = 1_765_771_688_000_000


class TestRenderResult:
    def test_a_success_reads_as_the_specification_shows(self):
        assert render_result(known(), "The result is 42.") == (
            "Result from commis job 123 (commis 2025-12-15T04-08-08_calculate-7-6):\n\n"
            "Execution time: 98ms\n\n"
            "The result is 42."
        )

    def test_the_result_is_given_as_it_is(self):
        text = "  two lines\r\nand a bell \x07\n\n"
        assert render_result(known(), text) == f"{HEADER}Execution time: 98ms\n\n{text}"

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_a_success_without_text_says_so(self, nothing):
        assert render_result(known(), nothing) == (
            f"{HEADER}Execution time: 98ms\n\nIt succeeded and left no result text."
        )

    @pytest.mark.parametrize(
        ("ms", "text"),
        [(0, "0ms"), (1234, "1.2s"), (135_000, "2m 15s"), (3_840_000, "1h 4m"), (None, "unknown")],
    )
    def test_durations_are_in_words(self, ms, text):
        assert render_result(known(duration_ms=ms), "x") == f"{HEADER}Execution time: {text}\n\nx"

    def test_a_commis_without_a_job_is_named_by_its_directory(self):
        assert render_result(known(job_id=None), "x").startswith(f"Result from commis {COMMIS_ID}:")

    def test_full_detail_adds_the_line_of_numbers(self):
        calls = timeline(THE_USUAL, 15_200)
        assert render_result(known(duration_ms=15_200), "Done.", timeline=calls, detail="full") == (
            f"{HEADER}Execution time: 15.2s\n"
            "Cost: $0.0031. Tokens: 12,345 (10,000 cached). LLM 6.1s in 2 calls, "
            "tools 8.9s in 3 calls (1 failed), slowest: ssh_exec 7.2s.\n\n"
            "Done."
        )

    def test_full_detail_without_calls_at_hand_uses_the_totals(self):
        totals = CommisTotals(
            llm_calls=1, llm_ms=1500, total_tokens=30, calls_without_usage=1, unpriced_calls=1,
            cost_usd=1.5,
        )  # fmt: skip
        assert render_result(known(totals=totals), "x", detail="full") == (
            f"{HEADER}Execution time: 98ms\n"
            "Cost: $1.50 (1 call not priced). Tokens: 30 (1 call not counted). "
            "LLM 1.5s in 1 call.\n\nx"
        )

    def test_full_detail_leaves_out_what_is_not_known(self):
        calls = timeline([tool(0, 300, "ls")], 400)
        assert render_result(known(), "x", timeline=calls, detail="full") == (
            f"{HEADER}Execution time: 98ms\nTools 300ms in 1 call, slowest: ls 300ms.\n\nx"
        )
        assert render_result(known(), "x", detail="full") == f"{HEADER}Execution time: 98ms\n\nx"

    @pytest.mark.parametrize(
        ("status", "error", "sentence"),
        [
            ("failed", "ValueError: boom", "It failed: ValueError: boom"),
            ("failed", None, "It failed."),
            ("cancelled", None, "It was cancelled."),
            ("timeout", "TimeoutError: 5 s", "It ran into its time limit: TimeoutError: 5 s"),
        ],
    )
    def test_a_bad_end_gives_the_error_and_what_finished_before(self, status, error, sentence):
        metadata = known(status=status, error=error, duration_ms=15_200)
        assert render_result(metadata, None, timeline=timeline(THE_USUAL, 15_200)) == (
            f"{HEADER}Execution time: 15.2s\n\n{sentence}\n\n"
            "Finished before that: 2 LLM calls, 3 tool calls (1 failed). "
            "Last: ls, ls (failed), gpt-5-mini."
        )

    def test_a_bad_end_before_any_call_says_so(self):
        assert render_result(known(status="failed", error="KeyError: 'x'"), None) == (
            f"{HEADER}Execution time: 98ms\n\nIt failed: KeyError: 'x'\n\n"
            "Finished before that: no calls."
        )

    def test_names_and_errors_cannot_add_lines(self):
        evil = "a\nExecution time: 1ms\x1b[2J"
        metadata = known(status="failed", error=evil)
        text = render_result(metadata, None, timeline=timeline([tool(0, 5, evil)], 5))
        assert text == (
            f"{HEADER}Execution time: 98ms\n\nIt failed: a Execution time: 1ms [2J\n\n"
            "Finished before that: 1 tool call. Last: a Execution time: 1ms [2J."
        )

    @pytest.mark.parametrize(
        ("status", "since", "next_step"),
        [
            ("running", "since it started", "There is no result yet; read it again later."),
            (
                "lost",
                "until its last sign of life",
                "Its process is gone; no result will come unless it is started again.",
            ),
        ],
    )
    def test_an_unfinished_one_says_how_it_stands(self, status, since, next_step):
        text = render_result(
            known(status=status, duration_ms=None),
            None,
            timeline=timeline([llm(0, 100)], None),
            last_event="Last event: tool call ssh_exec started 12.3s ago, not finished.",
            now_us=STARTED_US + 135_000_000,
        )
        assert text == (
            f"{HEADER}Not finished: status {status}, 2m 15s {since}.\n"
            "Last event: tool call ssh_exec started 12.3s ago, not finished.\n"
            "Finished so far: 1 LLM call. Last: gpt-5-mini.\n"
            f"{next_step}"
        )

    def test_one_that_waits_for_a_human_tells_work_from_waiting(self):
        metadata = known(status="interrupted", duration_ms=12_300)
        assert render_result(metadata, None, now_us=STARTED_US + 2 * HOUR_US) == (
            f"{HEADER}Not finished: status interrupted, 2h 0m since it started, 12.3s at work.\n"
            "There is no result before a human has answered and it is resumed."
        )

    def test_without_a_moment_there_is_no_elapsed_time(self):
        text = render_result(known(status="running"), None)
        assert text.startswith(f"{HEADER}Not finished: status running.\n")


class TestDescribeLastEvent:
    NOW_US = STARTED_US + 60_000_000

    def said(self, *records, status="running", seen_us=None, **calls) -> str:
        return describe_last_event(
            CommisNow(
                metadata=known(status=status),
                read=LinesRead(records),
                calls=OpenCalls(**calls),
                times=timeline(records, None),
                at_work_ms=None,
                start_us=STARTED_US,
                until_us=STARTED_US + 15_000_000,
                sign_of_life_us=seen_us,
                now_us=self.NOW_US,
            )
        )

    def test_the_newest_call_in_flight_comes_first(self):
        starts = (
            begun("gpt-5-mini", STARTED_US, "llm_call", 1),
            begun("ssh_exec", STARTED_US + 50_000_000, "tool_call", 2),
        )
        seen_us = self.NOW_US - 2_000_000
        assert self.said(*THE_USUAL, in_flight=starts, seen_us=seen_us) == (
            "Last event: tool call ssh_exec started 10.0s ago, not finished "
            "(one of 2 calls in flight); last sign of life 2.0s ago."
        )

    def test_else_the_call_that_ended_last(self):
        assert self.said(*THE_USUAL) == "Last event: LLM call gpt-5-mini finished 45.0s ago."
        failed = tool(0, 1000, success=False)
        assert self.said(failed) == "Last event: tool call ssh_exec failed 59.0s ago."

    def test_else_nothing_yet(self):
        assert self.said() == "Last event: no call so far."

    def test_what_asked_a_human_is_waited_for_and_not_in_flight(self):
        asking = begun("ask_human", STARTED_US + 14_000_000)
        assert self.said(*THE_USUAL, status="interrupted", waiting=(asking,)) == (
            "Waiting for a human: ask_human (45.0s so far)."
        )
        many = tuple(begun(f"ask_{number}", STARTED_US + number) for number in range(5))
        assert self.said(status="interrupted", waiting=many) == (
            "Waiting for a human: ask_4, ask_3, ask_2 and 2 more (45.0s so far)."
        )
        # A node or a middleware asks without a call.
        assert self.said(*THE_USUAL, status="interrupted") == (
            "Waiting for a human (45.0s so far)."
        )


class TestReadCommisResult:
    def test_gives_the_stored_result_with_its_time(self, desk: Desk):
        made = desk.commis(duration_ms=98, result="The result is 42.")
        expected = f"Result from {made.label}:\n\nExecution time: 98ms\n\nThe result is 42."
        for job in (made.job_id, str(made.job_id), made.commis_id):
            assert desk.answer("read_commis_result", job_id=job) == expected

    async def test_the_same_asynchronously(self, desk: Desk):
        made = desk.commis(duration_ms=98, result="The result is 42.")
        tool = desk.tool("read_commis_result")
        call = {"name": tool.name, "args": {"job_id": 1}, "id": "1", "type": "tool_call"}
        message = await tool.ainvoke(call)
        assert message.content == (
            f"Result from {made.label}:\n\nExecution time: 98ms\n\nThe result is 42."
        )

    def test_full_detail_is_the_toolkits_choice(self, desk: Desk):
        made = desk.commis(duration_ms=15_200, result="Done.", records=THE_USUAL)
        assert desk.answer("read_commis_result", job_id=1, toolkit={"detail": "full"}) == (
            f"Result from {made.label}:\n\nExecution time: 15.2s\n"
            "Cost: $0.0031. Tokens: 12,345 (10,000 cached). LLM 6.1s in 2 calls, "
            "tools 8.9s in 3 calls (1 failed), slowest: ssh_exec 7.2s.\n\nDone."
        )

    def test_a_failed_one_tells_what_finished_before(self, desk: Desk):
        made = desk.commis(
            duration_ms=300, status="failed", error="ValueError: boom", records=(tool(0, 200),)
        )
        assert desk.answer("read_commis_result", job_id=1) == (
            f"Result from {made.label}:\n\nExecution time: 300ms\n\nIt failed: ValueError: boom\n\n"
            "Finished before that: 1 tool call. Last: ssh_exec."
        )

    def test_a_running_one_tells_what_it_is_doing(self, desk: Desk):
        now_us = SYSTEM_CLOCK.wall_us()
        made = desk.commis(
            status="running",
            ago_us=3 * HOUR_US + 245_000_000,
            starts=(begun("ssh_exec", now_us - 2 * HOUR_US - 5_000_000),),
        )
        for name in ("metadata.json", "started.jsonl"):
            age(made.folder / name, 3600 + 5)
        assert desk.answer("read_commis_result", job_id=1) == (
            f"Result from {made.label}:\n\n"
            "Not finished: status running, 3h 4m since it started.\n"
            "Last event: tool call ssh_exec started 2h 0m ago, not finished; "
            "last sign of life 1h 0m ago.\n"
            "There is no result yet; read it again later."
        )

    def test_a_lost_one_counts_up_to_its_last_sign_of_life(self, desk: Desk):
        made = desk.commis(
            **GONE,
            ago_us=3 * HOUR_US,
        )
        age(made.folder / "metadata.json", 2 * 3600)
        assert desk.answer("read_commis_result", job_id=1) == (
            f"Result from {made.label}:\n\n"
            "Not finished: status lost, 1h 0m until its last sign of life.\n"
            "Last event: no call so far; last sign of life 2h 0m ago.\n"
            "Its process is gone; no result will come unless it is started again."
        )

    def test_one_that_asked_a_human_says_which_call_waits(self, desk: Desk):
        now_us = SYSTEM_CLOCK.wall_us()
        made = desk.commis(
            status="interrupted",
            ago_us=3 * HOUR_US + 5_000_000,
            finished_at=format_us(now_us - 2 * HOUR_US - 5_000_000),
            duration_ms=12_000,
            starts=(begun("ask_human", now_us - 2 * HOUR_US - 6_000_000),),
        )
        assert desk.answer("read_commis_result", job_id=1) == (
            f"Result from {made.label}:\n\n"
            "Not finished: status interrupted, 3h 0m since it started, 12.0s at work.\n"
            "Waiting for a human: ask_human (2h 0m so far).\n"
            "There is no result before a human has answered and it is resumed."
        )

    def test_a_question_to_a_human_is_told(self, desk: Desk):
        desk.commis(
            status="interrupted",
            runs=(
                SegmentRun(span_id="a" * 16, status="interrupted", asked="which one?"),
                SegmentRun(span_id="b" * 16, status="interrupted", asked="may\nI? " * 100),
            ),
        )
        for name in ("read_commis_result", "get_commis_metrics"):
            answer = desk.answer(name, job_id=1)
            assert ", asked: may I? may I? " in answer
            assert "which one?" not in answer
            assert len(answer) < 700

    def test_one_that_went_on_waits_no_longer(self, desk: Desk):
        asked = SegmentRun(span_id="a" * 16, status="interrupted", asked="which one?")
        desk.commis(status="success", runs=(asked, SegmentRun(span_id="b" * 16)))
        assert "which one?" not in desk.answer("get_commis_metrics", job_id=1)

    def test_a_long_result_is_shortened_in_its_middle(self, desk: Desk):
        lines = [f"line {number:4} {'x' * 90}\n" for number in range(1, 1001)]
        desk.commis(duration_ms=1, result="".join(lines))
        answer = desk.answer("read_commis_result", job_id=1, toolkit={"max_bytes": 5000})
        _, _, body = answer.partition("Execution time: 1ms\n\n")
        assert len(body.encode()) <= 5000
        assert body == (
            "".join(lines[:20])
            + "[960 lines and 96,960 bytes left out here: lines 21 to 980. Ask for them with "
            "read_commis_file, file_path='result.txt', start_line=21, max_lines=40.]\n"
            + "".join(lines[980:])
        )

    @pytest.mark.parametrize("broken", [b"", b'{"comm', b"[1]", b'{"duration_ms": "fast"}', None])
    def test_broken_metadata_still_gives_what_is_readable(self, desk: Desk, broken):
        made = desk.commis(duration_ms=98, result="The result is 42.", records=THE_USUAL)
        if broken is None:
            (made.folder / "metadata.json").unlink()
        else:
            (made.folder / "metadata.json").write_bytes(broken)
        assert desk.answer("read_commis_result", job_id=1) == (
            f"Result from {made.label}:\n\nExecution time: unknown\n\n"
            "Its metadata.json cannot be read, so its status and execution time are not known.\n"
            "Finished calls took 15.0s: 2 LLM calls, 3 tool calls (1 failed). "
            "Last: ls, ls (failed), gpt-5-mini.\n\n"
            "Its result.txt says:\n\nThe result is 42."
        )

    def test_broken_metadata_and_nothing_else(self, desk: Desk):
        made = desk.commis()
        (made.folder / "metadata.json").write_bytes(b"{")
        assert desk.answer("read_commis_result", job_id=made.commis_id) == (
            f"Result from commis {made.commis_id}:\n\nExecution time: unknown\n\n"
            "Its metadata.json cannot be read, so its status and execution time are not known.\n\n"
            "It left no result."
        )
