from __future__ import annotations

import pytest

from tests.tools.conftest import HOUR_US, Desk, Made
from zerg_visibility.clock import format_us


def started(made: Made) -> str:
    return f"{format_us(made.started_us)[:19]}Z"


def test_one_line_a_commis_newest_first(desk: Desk):
    first = desk.commis("Look at\nthe logs", name="research", duration_ms=1234)
    second = desk.commis("x" * 500, status="failed", error="ValueError: boom", duration_ms=5)
    third = desk.commis("Wait", status="running", ago_us=HOUR_US + 5_000_000)
    assert desk.answer("list_commis") == (
        "3 commis in the last 24 hours, newest first:\n"
        f"job 3: running, 1h 0m so far, commis, started {started(third)}: Wait\n"
        f"job 2: failed, 5ms, commis, started {started(second)}: {'x' * 99}…\n"
        f"job 1: success, 1.2s, research, started {started(first)}: Look at the logs"
    )


async def test_the_same_asynchronously(desk: Desk):
    made = desk.commis("Count", duration_ms=5)
    tool = desk.tool("list_commis")
    message = await tool.ainvoke({"name": tool.name, "args": {}, "id": "1", "type": "tool_call"})
    assert message.content == (
        "1 commis in the last 24 hours, newest first:\n"
        f"job 1: success, 5ms, commis, started {started(made)}: Count"
    )


def test_only_one_status(desk: Desk):
    desk.commis(status="failed", duration_ms=5)
    made = desk.commis("Wait", status="interrupted", duration_ms=7)
    assert desk.answer("list_commis", status="interrupted") == (
        "1 commis with status interrupted in the last 24 hours, newest first:\n"
        f"job 2: interrupted, 7ms so far, commis, started {started(made)}: Wait"
    )
    assert desk.answer("list_commis", status="timeout") == (
        "No commis with status timeout in the last 24 hours. "
        "A larger since_hours looks further back."
    )


def test_only_the_recent_past(desk: Desk):
    desk.commis(ago_us=30 * HOUR_US)
    assert desk.answer("list_commis") == (
        "No commis in the last 24 hours. A larger since_hours looks further back."
    )
    assert desk.answer("list_commis", since_hours=1).startswith("No commis in the last hour.")
    assert desk.answer("list_commis", since_hours=48.5).startswith(
        "1 commis in the last 48.5 hours, newest first:\njob 1: success, time unknown, commis,"
    )


def test_a_limit_tells_that_there_are_more(desk: Desk):
    for _ in range(3):
        desk.commis("Count", duration_ms=5)
    lines = desk.answer("list_commis", limit=2).splitlines()
    assert [line[:6] for line in lines[1:-1]] == ["job 3:", "job 2:"]
    assert lines[-1] == "There are more: raise limit, name a status, or lower since_hours."
    assert "There are more" not in desk.answer("list_commis", limit=3)


def test_a_list_stays_within_its_bytes(desk: Desk):
    for _ in range(60):
        desk.commis("\N{GRINNING FACE}" * 90, duration_ms=5)
    answer = desk.answer("list_commis", limit=200, toolkit={"max_bytes": 4000})
    assert len(answer.encode()) <= 4000
    assert answer.endswith("There are more: raise limit, name a status, or lower since_hours.")


def test_unreadable_metadata_is_listed_with_the_reason(desk: Desk):
    made = desk.commis()
    (made.folder / "metadata.json").write_bytes(b"{")
    line = desk.answer("list_commis").splitlines()[1]
    assert line.startswith(f"job 1: lost, time unknown, ?, started {started(made)}: metadata.json")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            {"status": "done\nor not"},
            "Unknown status 'done or not'; use one of running, success, failed, interrupted, "
            "cancelled, timeout, lost.",
        ),
        ({"limit": 0}, "limit must be from 1 to 200."),
        ({"limit": 201}, "limit must be from 1 to 200."),
        ({"since_hours": 0}, "since_hours must be more than 0 and at most 100,000."),
        ({"since_hours": -1}, "since_hours must be more than 0 and at most 100,000."),
        ({"since_hours": float("nan")}, "since_hours must be more than 0 and at most 100,000."),
        ({"since_hours": float("inf")}, "since_hours must be more than 0 and at most 100,000."),
    ],
)
def test_a_bad_argument_names_the_valid_choices(desk: Desk, args, error):
    assert desk.error("list_commis", **args) == f"Error: {error}"
