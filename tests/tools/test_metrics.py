from __future__ import annotations

from tests.tools.conftest import GONE, HOUR_US, Desk, age
from tests.tools.samples import THE_USUAL, begun, llm, moved, tool
from zerg_visibility import CommisRunRecord, CommisTotals
from zerg_visibility.clock import SYSTEM_CLOCK, format_us


def metrics(desk: Desk, job_id: int = 1) -> str:
    answer = desk.answer("get_commis_metrics", job_id=job_id)
    assert len(answer) <= 1500
    return answer


def test_the_sums_and_shares_of_a_finished_commis(desk: Desk):
    made = desk.commis(duration_ms=15_250, records=THE_USUAL)
    assert metrics(desk) == (
        f"Metrics of {made.label}: status success, execution time 15.2s.\n\n"
        "LLM: 6.1s (40%) in 2 calls.\n"
        "Tools: 8.9s (58%) in 3 calls. Failed: 1.\n"
        "Other (no call running): 250ms (2%).\n"
        "Tokens: 12,345 in all, 12,200 in (10,000 cached), 145 out.\n"
        "Cost: $0.0031.\n"
        "Slowest calls: ssh_exec 7.2s, gpt-5-mini 4.1s, gpt-5-mini 2.0s, ls 1.0s, ls 700ms.\n"
        "Failed: ls: FileNotFoundError: /nowhere"
    )


async def test_the_same_asynchronously(desk: Desk):
    made = desk.commis(duration_ms=98)
    found = desk.tool("get_commis_metrics")
    args = {"job_id": 1}
    message = await found.ainvoke(
        {"name": found.name, "args": args, "id": "1", "type": "tool_call"}
    )
    assert message.content == (
        f"Metrics of {made.label}: status success, execution time 98ms.\n\n"
        "No finished calls are recorded."
    )


def test_overlapping_calls_are_counted_once_with_the_sum_beside(desk: Desk):
    desk.commis(
        duration_ms=4000,
        records=(tool(0, 2000, "a"), tool(500, 2000, "b"), llm(2000, 1000)),
    )
    assert metrics(desk).splitlines()[2:6] == [
        "LLM: 1.0s (25%) in 1 call.",
        "Tools: 2.5s (62%) in 2 calls, 4.0s added up.",
        "Other (no call running): 1.0s (25%).",
        "LLM and tool calls overlapped for 500ms.",
    ]


def test_what_was_not_counted_or_recorded_is_said(desk: Desk):
    made = desk.commis(
        duration_ms=1000,
        records=(llm(0, 1000, cost_usd=0.5),),
        totals=CommisTotals(unpriced_calls=2),
        dropped_records=3,
    )
    with (made.folder / "metrics.jsonl").open("ab") as file:
        file.write(b'nonsense\n{"event":"to')
    assert metrics(desk) == (
        f"Metrics of {made.label}: status success, execution time 1.0s.\n\n"
        "LLM: 1.0s (100%) in 1 call.\n"
        "Tools: no calls.\n"
        "Other (no call running): 0ms (0%).\n"
        "Tokens not counted: 1 LLM call.\n"
        "Cost: $0.5000 (2 calls not priced).\n"
        "Slowest calls: gpt-5-mini 1.0s.\n"
        "Not recorded: 3 calls.\n"
        "Skipped: 1 line is unreadable and the last line is unfinished."
    )


def test_an_unfinished_commis_shows_what_is_in_flight(desk: Desk):
    now_us = SYSTEM_CLOCK.wall_us()
    made = desk.commis(
        status="running",
        ago_us=6 * HOUR_US + 5_000_000,
        starts=tuple(
            begun(f"tool_{number}", now_us - number * HOUR_US - 5_000_000, span=number)
            for number in range(1, 6)
        ),
    )
    assert metrics(desk) == (
        f"Metrics of {made.label}: status running, execution time 6h 0m so far.\n\n"
        "No finished calls are recorded.\n"
        "Calls not finished: 5h 0m (83%).\n"
        "Other (no call running): 1h 0m (17%).\n"
        "In flight: tool_1 (1h 0m so far), tool_2 (2h 0m so far), tool_3 (3h 0m so far) "
        "and 2 more."
    )


def test_what_waits_for_a_human_is_not_in_flight(desk: Desk):
    now_us = SYSTEM_CLOCK.wall_us()
    started_us = now_us - 2 * HOUR_US - 15_000_000
    made = desk.commis(
        status="interrupted",
        ago_us=2 * HOUR_US + 15_000_000,
        finished_at=format_us(started_us + 10_000_000),
        duration_ms=10_000,
        records=(moved(llm(0, 4000), started_us),),
        starts=(begun("ask_human", started_us + 6_000_000),),
    )
    assert metrics(desk) == (
        f"Metrics of {made.label}: status interrupted, execution time 10.0s so far.\n\n"
        "LLM: 4.0s (40%) in 1 call.\n"
        "Tools: no calls.\n"
        "Calls not finished: 4.0s (40%).\n"
        "Other (no call running): 2.0s (20%).\n"
        "Tokens not counted: 1 LLM call.\n"
        "Slowest calls: gpt-5-mini 4.0s.\n"
        "Waiting for a human: ask_human (2h 0m so far)."
    )


def test_after_a_resume_the_call_that_asked_is_not_in_flight(desk: Desk):
    now_us = SYSTEM_CLOCK.wall_us()
    desk.commis(
        status="running",
        ago_us=2 * HOUR_US,
        segment_started_at=format_us(now_us - 5_000_000),
        segments=2,
        duration_ms=1000,
        starts=(
            begun("ask_human", now_us - HOUR_US, span=1),
            begun("ssh_exec", now_us - 5_000_000, span=2),
        ),
    )
    [line] = [line for line in metrics(desk).splitlines() if "flight" in line]
    assert line.startswith("In flight: ssh_exec (5.")
    assert "ask_human" not in metrics(desk)


def test_a_lost_commis_is_not_at_work_any_more(desk: Desk):
    now_us = SYSTEM_CLOCK.wall_us()
    made = desk.commis(
        **GONE, ago_us=3 * HOUR_US, starts=(begun("ssh_exec", now_us - 2 * HOUR_US - 5_000_000),)
    )
    for name in ("metadata.json", "started.jsonl"):
        age(made.folder / name, 2 * 3600)
    assert metrics(desk) == (
        f"Metrics of {made.label}: status lost, "
        "execution time 1h 0m until its last sign of life.\n\n"
        "No finished calls are recorded.\n"
        "Calls not finished: 5.0s (0%).\n"
        "Other (no call running): 59m 55s (100%).\n"
        "Begun and never finished: ssh_exec (2h 0m ago)."
    )
    [_, line] = desk.answer("list_commis").splitlines()
    assert line.startswith("job 1: lost, 1h 0m until its last sign of life, ")


def test_without_metadata_the_records_still_speak(desk: Desk):
    made = desk.commis(records=(tool(0, 300, "ls"),))
    (made.folder / "metadata.json").write_bytes(b"{")
    assert metrics(desk) == (
        f"Metrics of {made.label}: its metadata.json cannot be read, so status and execution "
        "time are not known.\n\n"
        "LLM: no calls.\n"
        "Tools: 300ms in 1 call.\n"
        "Slowest calls: ls 300ms."
    )


def test_it_stays_short_whatever_the_names_are(desk: Desk):
    now_us = SYSTEM_CLOCK.wall_us()
    long = "a long name\n" * 1000
    calls = tuple(
        record
        for number in range(20)
        for record in (
            tool(number, 10**11, long, success=False, error=long, attempt=10),
            llm(number, 10**11, long, success=False, error=long, cost_usd=1e6, attempt=10),
            llm(number, 10**11, long, prompt_tokens=10**12, completion_tokens=10**12,
                total_tokens=10**13, cached_tokens=10**12, reasoning_tokens=10**12),
        )
    )  # fmt: skip
    runs = tuple(
        CommisRunRecord(start_us=1, end_us=2, commis_id=desk.commis(name=long).commis_id)
        for _ in range(10)
    )
    made = desk.commis(
        "task " * 100,
        status="running",
        records=calls + runs,
        starts=tuple(begun(long, now_us - HOUR_US, span=number) for number in range(50)),
        totals=CommisTotals(unpriced_calls=10**12),
        dropped_records=10**12,
    )
    answer = metrics(desk, job_id=made.job_id)
    assert answer.splitlines()[-1] == "Not recorded: 1,000,000,000,000 calls."
    assert "Failed: 37 more." in answer.splitlines()


def test_an_error_is_whole_where_there_is_room(desk: Desk):
    cause = "APIStatusError: " + "x" * 400 + " limit is 3 a minute"
    desk.commis(duration_ms=1000, records=(llm(0, 1000, success=False, error=cause),))
    assert metrics(desk).endswith(f"\nFailed: gpt-5-mini: {cause}")


def test_errors_share_the_room_that_there_is(desk: Desk):
    calls = [
        llm(0, 10, success=False, error=f"E{number}: " + "x" * 450 + " end") for number in range(4)
    ]
    desk.commis(duration_ms=1000, records=tuple(calls))
    failed = [line for line in metrics(desk).splitlines() if line.startswith("Failed: ")]
    assert [len(line) for line in failed[:3]] == [len("Failed: gpt-5-mini: ") + 300] * 3
    assert failed[3] == "Failed: 1 more."


def test_retries_are_named(desk: Desk):
    desk.commis(
        duration_ms=1000,
        records=(
            llm(0, 100, attempt=1, success=False, error="E: busy"),
            llm(100, 200, attempt=2, success=False, error="E: busy"),
            llm(300, 300, attempt=3),
            *(tool(600 + number, 1, "ls", attempt=2) for number in range(4)),
        ),
    )
    lines = metrics(desk).splitlines()
    assert "Retries: gpt-5-mini try 2 (failed), gpt-5-mini try 3, ls try 2 and 3 more." in lines
    assert "Failed: gpt-5-mini try 2: E: busy" in lines


def test_answers_that_were_cut_off_are_counted(desk: Desk):
    reasons = ("stop", "length", "max_tokens", "MAX_TOKENS", "tool_calls", None)
    calls = tuple(llm(0, 5, finish_reason=reason) for reason in reasons)
    desk.commis(duration_ms=5, records=calls)
    assert "Cut off at the token limit: 3 LLM calls." in metrics(desk).splitlines()


def test_nothing_is_promised_that_nothing_gives(desk: Desk):
    assert "cost" not in desk.tool("get_commis_metrics").description.lower()
