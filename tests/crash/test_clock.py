"""A wall clock that jumps by an hour during a run changes no duration."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.scripted import after, asks, commis_agent, json_lines, run, says
from zerg_visibility import (
    CommisStore,
    ConciergeToolkit,
    VisibilityCallbackHandler,
    create_commis_node,
)
from zerg_visibility.clock import Clock, parse_us

HOUR_MS = 3_600_000
JUMPS = {
    "forward": [HOUR_MS] * 3,
    "back": [-HOUR_MS] * 3,
    "forward and back": [HOUR_MS, -HOUR_MS, HOUR_MS],
    "back and forward": [-HOUR_MS, HOUR_MS, -HOUR_MS],
}


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS)
def test_a_jump_changes_no_duration(jumps, store, clocked_handler, clock):
    to_jump = iter(jumps)

    def taking(ms, answer):
        answers = after(clock, ms, answer)

        def then_jump(messages):
            clock.step_wall(next(to_jump))
            return answers(messages)

        return then_jump

    commis = commis_agent(
        taking(700, asks("multiply", "one", a=7, b=6)),
        taking(98, asks("multiply", "two", a=7, b=6)),
        taking(202, says("The result is 42.")),
    )
    run(create_commis_node(commis, store=store), "Calculate 7*6", clocked_handler)

    [found] = store.recent()
    assert (found.status, found.duration_ms) == ("success", 1000)
    records = store.records(found.commis_id).items
    assert [record.duration_ms for record in records] == [700, 0, 98, 0, 202]
    assert (found.totals.llm_ms, found.totals.tool_ms) == (1000, 0)
    for line in json_lines(store.folder(found.commis_id) / "metrics.jsonl"):
        taken_us = parse_us(line["end_ts"]) - parse_us(line["start_ts"])
        assert taken_us // 1000 == line["duration_ms"]
    tools = {tool.name: tool for tool in ConciergeToolkit(store=store).get_tools()}
    assert "Execution time: 1.0s\n" in tools["read_commis_result"].invoke({"job_id": found.job_id})


def test_a_clock_that_jumps_at_every_look_gives_no_negative_time(store: CommisStore):
    jumps = itertools.cycle((0, 3600, -3600))
    clock = Clock(
        wall_ns=lambda: time.time_ns() + 1_000_000_000 * next(jumps),
        monotonic_ns=time.perf_counter_ns,
    )
    handler = VisibilityCallbackHandler(store, clock=clock, raise_error=True)
    commis = commis_agent(asks("multiply", a=7, b=6), says("The result is 42."))
    began_ns = time.perf_counter_ns()
    run(create_commis_node(commis, store=store), "Calculate 7*6", handler)
    taken_ms = (time.perf_counter_ns() - began_ns) / 1_000_000

    [found] = store.recent()
    assert 0 <= found.duration_ms <= taken_ms
    assert found.wall_ms >= 0
    for record in store.records(found.commis_id).items:
        assert 0 <= record.end_us - record.start_us <= 1000 * taken_ms


def test_time_stamps_follow_the_wall_clock(store, clocked_handler, clock):
    def step_back(_):
        clock.step_wall(-HOUR_MS)
        return asks("multiply", a=7, b=6)

    commis = commis_agent(step_back, says("The result is 42."))
    run(create_commis_node(commis, store=store), "Calculate 7*6", clocked_handler)

    [found] = store.recent()
    first, second, third = (record.start_ts for record in store.records(found.commis_id).items)
    assert first == "2025-12-15T04:08:08.123456Z"
    assert second == third == "2025-12-15T03:08:08.123456Z"
