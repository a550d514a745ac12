from __future__ import annotations

import pytest

from tests.tools.conftest import GONE, HOUR_US, Desk, age
from tests.tools.samples import THE_USUAL, begun, tool
from zerg_visibility.clock import SYSTEM_CLOCK, format_us
from zerg_visibility.store.runs import SegmentRun


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
