"""What a commis says of the commis that it started."""

from __future__ import annotations

from pathlib import Path

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import asks, asks_all, calculator, commis_agent, run, says
from tests.tools.conftest import GONE, Desk, Made
from tests.tools.samples import llm
from zerg_visibility import VisibilityCallbackHandler, create_commis_node, create_commis_tool
from zerg_visibility.clock import SYSTEM_CLOCK, format_us
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.metadata import DescendantTotals


def ran(made: Made, status: str = "success", name: str = "research") -> CommisRunRecord:
    return CommisRunRecord(
        start_us=1, end_us=2, name=name, job_id=made.job_id, commis_id=made.commis_id,
        status=status,
    )  # fmt: skip


def said_of(desk: Desk, made: Made, **toolkit) -> list[str]:
    answer = desk.answer("get_commis_metrics", job_id=made.job_id, toolkit=toolkit)
    return [line for line in answer.splitlines() if "child" in line]


def test_a_commis_that_starts_two_says_what_they_used(desk: Desk):
    handler = VisibilityCallbackHandler(desk.store)
    helper = create_commis_tool(
        calculator(), name="helper", description="Multiplies.", store=desk.store
    )
    twice = asks_all(asks("helper", "one", task="7*6"), asks("helper", "two", task="6*7"))
    outer = commis_agent(twice, says("42, both."), tools=[helper])
    graph = StateGraph(MessagesState)
    graph.add_node("lead", create_commis_node(outer, store=desk.store))
    run(graph.add_edge(START, "lead").compile(), "Multiply", handler)

    [metrics] = said_of(desk, lead := desk_commis(desk, 1))
    # Two model calls of 1,323 tokens each in all three, and the two calls of the helper tool.
    assert metrics in {
        f"With its 2 child jobs ({names}): 7,938 tokens, 6 LLM calls, 4 tool calls."
        for names in ("#2 helper, #3 helper", "#3 helper, #2 helper")
    }
    full = desk.answer("read_commis_result", job_id=lead.job_id, toolkit={"detail": "full"})
    assert metrics in full
    assert "child job" not in desk.answer("read_commis_result", job_id=lead.job_id)


def desk_commis(desk: Desk, job_id: int) -> Made:
    commis_id = desk.store.find(job_id)
    return Made(commis_id, job_id, desk.store.folder(commis_id), 0)


def test_sums_over_all_below_are_those_that_its_metadata_has(desk: Desk):
    inner, middle = desk.commis(name="inner"), desk.commis(name="middle", status="failed")
    outer = desk.commis(
        # The middle one started the inner one, which ran twice; it is counted as one job.
        records=(llm(0, 5, total_tokens=10_000), ran(middle, "failed", "middle"),
                 ran(inner, "interrupted", "inner"), ran(inner, name="inner")),
        descendants=DescendantTotals(jobs=3, llm_calls=4, tool_calls=2, total_tokens=1100),
    )  # fmt: skip
    assert said_of(desk, outer) == [
        "With its 3 child jobs (#2 middle (failed), #1 inner and 1 more): "
        "11,100 tokens, 5 LLM calls, 2 tool calls."
    ]


def test_without_sums_nothing_is_said_of_them(desk: Desk):
    outer = desk.commis(records=(ran(desk.commis()), llm(0, 5, total_tokens=10_000)))
    assert said_of(desk, outer) == ["It started 1 child job (#1 research)."]


@pytest.mark.parametrize(("standing", "word"), [({"status": "running"}, "running"), (GONE, "lost")])
def test_a_child_that_has_not_ended_is_named(desk: Desk, standing, word):
    child = desk.commis()
    begun = CallStarted(
        event="commis_run", name="child", span_id="a" * 16, start_us=SYSTEM_CLOCK.wall_us(),
        job_id=child.job_id, commis_id=child.commis_id,
    )  # fmt: skip
    outer = desk.commis(starts=(begun,), **{**standing, "started_at": format_us(begun.start_us)})
    assert said_of(desk, outer) == [f"It started 1 child job (#1 child ({word}))."]


def test_time_in_which_only_a_child_ran_is_not_called_idle(desk: Desk):
    outer = desk.commis(records=(ran(desk.commis()), llm(0, 5)), duration_ms=10)
    answer = desk.answer("get_commis_metrics", job_id=outer.job_id)
    assert "\nOther (no call of its own running): 5ms (50%).\n" in answer


def test_hundreds_of_children_stay_bounded(desk: Desk):
    made = [desk.commis() for _ in range(10)]
    outer = desk.commis(records=tuple(ran(child, name="n" * 500) for child in made))
    name = "n" * 29 + "…"
    assert said_of(desk, outer) == [
        "It started 10 child jobs "
        f"({', '.join(f'#{job} {name}' for job in range(1, 4))} and 7 more)."
    ]


def test_an_id_that_leads_out_of_the_store_is_not_followed(desk: Desk, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    evil = CommisRunRecord(start_us=1, end_us=2, name="x\nEvil: y", commis_id="../../outside")
    outer = desk.commis(records=(evil,))
    assert said_of(desk, outer) == ["It started 1 child job (x Evil: y)."]


def test_one_that_waits_for_a_commis_says_which(desk: Desk):
    child = desk.commis(owner_id="eve")
    now_us = SYSTEM_CLOCK.wall_us()
    begun = CallStarted(
        event="commis_run", name="helper", span_id="a" * 16, start_us=now_us - 60_000_000,
        job_id=child.job_id, commis_id=child.commis_id,
    )  # fmt: skip
    outer = desk.commis(
        starts=(begun,), records=(llm(0, 5),), owner_id="eve", **running_since(begun.start_us)
    )
    said = desk.answer("read_commis_result", job_id=outer.job_id, toolkit={"owner_id": "eve"})
    assert "\nLast event: commis #1 helper started 1m 0s ago, not finished; " in said


def running_since(start_us: int) -> dict[str, str]:
    return {"status": "running", "started_at": format_us(start_us)}
