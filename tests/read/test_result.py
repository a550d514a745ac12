from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.conftest import HOUR_US, Desk
from tests.tools.samples import START_US, THE_USUAL, begun, llm, tool
from zerg_visibility.clock import format_us
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.result import describe_last_event, render_result
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals

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


STARTED_US = START_US


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "store")


def stored(
    desk: Desk, metadata: CommisMetadata, *records, starts=(), now_us=STARTED_US, seen_us=None
) -> Commis:
    """A commis of this metadata and these records, as it stands at a moment."""
    made = desk.commis(records=records, starts=starts)
    for path in made.folder.iterdir():
        os.utime(path, ns=(0, (seen_us or now_us) * 1000))
    return Commis(desk.store, replace(metadata, commis_id=made.commis_id), now_us)


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

    def test_full_detail_adds_the_line_of_numbers(self, desk):
        metadata = known(duration_ms=15_200)
        commis = stored(desk, metadata, *THE_USUAL)
        assert render_result(metadata, "Done.", commis, detail="full") == (
            f"{HEADER}Execution time: 15.2s\n"
            "Cost: $0.0031. Tokens: 12,345 (10,000 cached). LLM 6.1s in 2 calls, "
            "tools 8.9s in 3 calls (1 failed), slowest: ssh_exec 7.2s.\n\n"
            "Done."
        )

    def test_full_detail_says_what_was_not_counted_and_not_priced(self, desk):
        metadata = known(totals=CommisTotals(unpriced_calls=1))
        priced = llm(500, 1000, cost_usd=1.5, prompt_tokens=20, total_tokens=30)
        commis = stored(desk, metadata, llm(0, 500), priced)
        assert render_result(metadata, "x", commis, detail="full") == (
            f"{HEADER}Execution time: 98ms\n"
            "Cost: $1.50 (1 call not priced). Tokens: 30 (1 call not counted). "
            "LLM 1.5s in 2 calls, slowest: gpt-5-mini 1.0s.\n\nx"
        )

    def test_full_detail_leaves_out_what_is_not_known(self, desk):
        commis = stored(desk, known(), tool(0, 300, "ls"))
        assert render_result(known(), "x", commis, detail="full") == (
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
    def test_a_bad_end_gives_the_error_and_what_finished_before(
        self, desk, status, error, sentence
    ):
        metadata = known(status=status, error=error, duration_ms=15_200)
        assert render_result(metadata, None, stored(desk, metadata, *THE_USUAL)) == (
            f"{HEADER}Execution time: 15.2s\n\n{sentence}\n\n"
            "Finished before that: 2 LLM calls, 3 tool calls (1 failed). "
            "Last: ls, ls (failed), gpt-5-mini."
        )

    def test_a_bad_end_before_any_call_says_so(self):
        assert render_result(known(status="failed", error="KeyError: 'x'"), None) == (
            f"{HEADER}Execution time: 98ms\n\nIt failed: KeyError: 'x'\n\n"
            "Finished before that: no calls."
        )

    def test_names_and_errors_cannot_add_lines(self, desk):
        evil = "a\nExecution time: 1ms\x1b[2J"
        metadata = known(status="failed", error=evil)
        text = render_result(metadata, None, stored(desk, metadata, tool(0, 5, evil)))
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
    def test_an_unfinished_one_says_how_it_stands(self, desk, status, since, next_step):
        metadata = known(status=status, duration_ms=None)
        moment_us = STARTED_US + 135_000_000
        starts = (begun("ssh_exec", moment_us - 12_300_000),)
        commis = stored(desk, metadata, llm(0, 100), starts=starts, now_us=moment_us)
        assert render_result(metadata, None, commis) == (
            f"{HEADER}Not finished: status {status}, 2m 15s {since}.\n"
            "Last event: tool call ssh_exec started 12.3s ago, not finished; "
            "last sign of life 0ms ago.\n"
            "Finished so far: 1 LLM call. Last: gpt-5-mini.\n"
            f"{next_step}"
        )

    def test_one_that_waits_for_a_human_tells_work_from_waiting(self, desk):
        metadata = known(
            status="interrupted", duration_ms=12_300,
            finished_at=format_us(STARTED_US + HOUR_US),
        )  # fmt: skip
        commis = stored(desk, metadata, now_us=STARTED_US + 2 * HOUR_US)
        assert render_result(metadata, None, commis) == (
            f"{HEADER}Not finished: status interrupted, 2h 0m since it started, 12.3s at work.\n"
            "Waiting for a human (1h 0m so far).\n"
            "There is no result before a human has answered and it is resumed."
        )

    def test_without_its_calls_there_is_no_elapsed_time(self):
        text = render_result(known(status="running"), None)
        assert text.startswith(f"{HEADER}Not finished: status running.\n")


class TestDescribeLastEvent:
    NOW_US = STARTED_US + 60_000_000

    def said(self, desk: Desk, *records, status="running", starts=()) -> str:
        metadata = known(
            status=status,
            finished_at=None if status == "running" else format_us(STARTED_US + 15_000_000),
        )
        seen_us = self.NOW_US - 2_000_000
        commis = stored(
            desk, metadata, *records, starts=starts, now_us=self.NOW_US, seen_us=seen_us
        )
        return describe_last_event(commis)

    def test_the_newest_call_in_flight_comes_first(self, desk):
        starts = (
            begun("gpt-5-mini", STARTED_US, "llm_call", 1),
            begun("ssh_exec", STARTED_US + 50_000_000, "tool_call", 2),
        )
        assert self.said(desk, *THE_USUAL, starts=starts) == (
            "Last event: tool call ssh_exec started 10.0s ago, not finished "
            "(one of 2 calls in flight); last sign of life 2.0s ago."
        )

    def test_else_the_call_that_ended_last(self, desk):
        assert self.said(desk, *THE_USUAL) == (
            "Last event: LLM call gpt-5-mini finished 45.0s ago; last sign of life 2.0s ago."
        )
        failed = tool(0, 1000, success=False)
        assert self.said(desk, failed).startswith("Last event: tool call ssh_exec failed 59.0s ago")

    def test_else_nothing_yet(self, desk):
        assert self.said(desk).startswith("Last event: no call so far;")

    def test_what_asked_a_human_is_waited_for_and_not_in_flight(self, desk):
        asking = begun("ask_human", STARTED_US + 14_000_000)
        assert self.said(desk, *THE_USUAL, status="interrupted", starts=(asking,)) == (
            "Waiting for a human: ask_human (45.0s so far)."
        )
        many = tuple(
            begun(f"ask_{number}", STARTED_US + number, span=number) for number in range(5)
        )
        assert self.said(desk, status="interrupted", starts=many) == (
            "Waiting for a human: ask_4, ask_3, ask_2 and 2 more (45.0s so far)."
        )
        # A node or a middleware asks without a call.
        assert self.said(desk, *THE_USUAL, status="interrupted") == (
            "Waiting for a human (45.0s so far)."
        )
