"""What a commis says of the commis that it started."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import asks, asks_all, calculator, commis_agent, run, says
from tests.tools.conftest import GONE, Desk, Made
from tests.tools.samples import THE_USUAL, llm, tool
from zerg_visibility import VisibilityCallbackHandler, create_commis_node, create_commis_tool
from zerg_visibility.read import children
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.store.metadata import CommisTotals


def ran(made: Made, status: str = "success", name: str = "research") -> CommisRunRecord:
    return CommisRunRecord(
        start_us=1, end_us=2, name=name, job_id=made.job_id, commis_id=made.commis_id,
        status=status,
    )  # fmt: skip


def used(tokens: int) -> CommisTotals:
    return CommisTotals(llm_calls=2, tool_calls=1, total_tokens=tokens)


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


def test_those_below_children_count_and_each_counts_once(desk: Desk):
    inner = desk.commis(name="inner", totals=used(100), duration_ms=1)
    middle = desk.commis(
        name="middle", status="failed", totals=used(1000), duration_ms=1,
        records=(ran(inner, "interrupted"), ran(inner)),
    )  # fmt: skip
    outer = desk.commis(records=(llm(0, 5, total_tokens=10_000), ran(middle), ran(inner)))
    assert said_of(desk, outer) == [
        "With its 2 child jobs (#2 middle (failed), #1 inner): "
        "11,100 tokens, 5 LLM calls, 2 tool calls."
    ]


def test_runs_that_name_each_other_end(desk: Desk):
    one = desk.commis(totals=used(10))
    other = desk.commis(totals=used(100), records=(ran(one),))
    file = desk.store.append_file(one.folder / "metrics.jsonl")
    for made in (other, one):
        file.append(b'{"event":"commis_run","commis_id":"%s","start_ts":"2025-12-15T04:08:08Z",'
                    b'"end_ts":"2025-12-15T04:08:08Z"}\n' % made.commis_id.encode())  # fmt: skip
    file.close()
    assert said_of(desk, one) == [
        "With its 1 child job (#2 commis): 100 tokens, 2 LLM calls, 1 tool call."
    ]


@pytest.mark.parametrize("standing", [{"status": "running"}, GONE], ids=["running", "lost"])
def test_a_child_that_has_not_ended_is_added_up(desk: Desk, standing):
    child = desk.commis(name="child", records=THE_USUAL, **standing)
    outer = desk.commis(records=(tool(0, 5), ran(child, "interrupted")), duration_ms=5)
    status = desk.store.metadata(child.commis_id).status
    assert said_of(desk, outer) == [
        f"With its 1 child job (#1 child ({status})): 12,345 tokens, 2 LLM calls, 4 tool calls."
    ]


def test_a_child_that_is_gone_makes_the_sum_a_least(desk: Desk):
    gone, child = desk.commis(totals=used(10)), desk.commis(totals=used(100))
    outer = desk.commis(records=(ran(gone), ran(child)), duration_ms=5)
    shutil.rmtree(gone.folder)
    assert said_of(desk, outer) == [
        "With its 1 child job (#2 commis): at least 100 tokens, 2 LLM calls, 1 tool call."
    ]


def test_somebody_elses_child_is_not_told_of(desk: Desk):
    theirs, own = desk.commis(owner_id="eve", totals=used(10)), desk.commis(totals=used(100))
    outer = desk.commis(records=(ran(theirs), ran(own)), duration_ms=5)
    assert said_of(desk, outer) == [
        "With its 1 child job (#2 commis): 100 tokens, 2 LLM calls, 1 tool call."
    ]


def test_hundreds_of_children_stay_bounded(desk: Desk, monkeypatch):
    monkeypatch.setattr(children, "MAX_READ", 8)
    made = [desk.commis(name="n" * 500, totals=used(10)) for _ in range(10)]
    outer = desk.commis(records=tuple(ran(child) for child in made), duration_ms=5)
    name = "n" * 29 + "…"
    assert said_of(desk, outer) == [
        f"With its 8 child jobs ({', '.join(f'#{job} {name}' for job in range(1, 4))} and 5 more): "
        "at least 80 tokens, 16 LLM calls, 8 tool calls."
    ]


def test_an_id_that_leads_out_of_the_store_is_not_followed(desk: Desk, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    outer = desk.commis(records=(CommisRunRecord(start_us=1, end_us=2, commis_id="../../outside"),))
    assert said_of(desk, outer) == []
