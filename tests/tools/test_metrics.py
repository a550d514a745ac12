from __future__ import annotations

from tests.tools.conftest import GONE, HOUR_US, Desk, age
from tests.tools.samples import THE_USUAL, begun, llm, tool
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.store.metadata import CommisTotals


def metrics(desk: Desk, **options) -> str:
    answer = desk.answer("get_commis_metrics", job_id=1, **options)
    assert len(answer) <= 1500
    return answer


def test_the_sums_and_shares_of_a_finished_commis(desk: Desk):
    made = desk.commis(duration_ms=15_250, records=THE_USUAL)
    assert metrics(desk) == (
        f"Metrics of {made.label}: status success, execution time 15.2s.\n\n"
        "LLM: 6.1s (40%) in 2 calls.\n"
        "Tools: 8.9s (58%) in 3 calls. Failed: 1.\n"
        "Other (no finished call running): 250ms (2%).\n"
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
        "Other (no finished call running): 1.0s (25%).",
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
        "Other (no finished call running): 0ms (0%).\n"
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
        "In flight: tool_1 (1h 0m so far), tool_2 (2h 0m so far), tool_3 (3h 0m so far) "
        "and 2 more."
    )


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
            tool(number, 10**11, long, success=False, error=long),
            llm(number, 10**11, long, success=False, error=long, cost_usd=1e6),
            llm(number, 10**11, long, prompt_tokens=10**12, completion_tokens=10**12,
                total_tokens=10**13, cached_tokens=10**12, reasoning_tokens=10**12),
        )
    )  # fmt: skip
    desk.commis(
        "task " * 100,
        status="running",
        records=calls,
        starts=tuple(begun(long, now_us - HOUR_US, span=number) for number in range(50)),
        totals=CommisTotals(unpriced_calls=10**12),
        dropped_records=10**12,
    )
    answer = metrics(desk)
    assert answer.splitlines()[-1] == "Not recorded: 1,000,000,000,000 calls."
    assert "Failed: 37 more." in answer.splitlines()
