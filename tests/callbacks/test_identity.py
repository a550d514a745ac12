"""What a server says of a run: one trace for all of it, and its ids."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import HumanMessage

from tests.scenarios.found import by_job, lines
from tests.scenarios.parts import START, MessagesState, ScriptedModel, StateGraph, agent
from zerg_visibility import VisibilityCallbackHandler, create_commis_node

ASK = {"messages": [HumanMessage("Calculate 7*6")]}
RUN = "01a2101a-bdfe-7411-85f9-37f385adf6a6"
TRACE = RUN.replace("-", "")
IDS = {
    "run_id": RUN,
    "assistant_id": "fe096781-5601-53d2-b2f6-0d3403f7e9ca",
    "graph_id": "agent",
    "user_id": "ann@example.com",
}


def two_commis(store: Any) -> Any:
    builder = StateGraph(MessagesState)
    for name in ("one", "two"):
        worker = agent(ScriptedModel(script=["42"]))
        builder.add_node(name, create_commis_node(worker, store=store))
        builder.add_edge(START, name)
    return builder.compile()


@pytest.mark.parametrize("run_id", [RUN, UUID(RUN)], ids=["text", "uuid"])
@pytest.mark.parametrize("watching", ["handler", "commis alone"])
def test_all_commis_of_a_servers_run_are_one_trace(watching, run_id, store):
    callbacks = [VisibilityCallbackHandler(store)] if watching == "handler" else []

    two_commis(store).invoke(ASK, {"callbacks": callbacks, "metadata": {"run_id": run_id}})

    assert {one.trace_id for one in by_job(store)} == {TRACE}
    assert {line["trace_id"] for line in lines(store.root)} == {TRACE}


def test_a_servers_ids_are_kept_with_the_run(store, handler):
    config = {"callbacks": [handler], "metadata": IDS, "configurable": {"thread_id": "t-1"}}

    two_commis(store).invoke(ASK, config)

    [run] = [line for line in lines(store.root) if line["event"] == "concierge_run"]
    assert {name: run[name] for name in IDS} == IDS
    assert run["thread_id"] == "t-1"
    assert {one.concierge_id for one in by_job(store)} == {run["concierge_id"]}


class Odd:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")


@pytest.mark.parametrize("watching", ["handler", "commis alone"])
@pytest.mark.parametrize(
    "value",
    [None, "", "x", "x" * 100_000, 7, -1, 10**5000, 1.5, True, b"bytes", [RUN], {"id": RUN}, Odd(),
     "\ud800", "a\nb", UUID(int=0), "0" * 32],
    ids=lambda value: f"{type(value).__name__}",
)  # fmt: skip
def test_ids_of_any_type_and_length(value, watching, store):
    handler = VisibilityCallbackHandler(store, raise_error=True)
    config = {
        "callbacks": [handler] if watching == "handler" else [],
        "metadata": dict.fromkeys(IDS, value),
    }
    graph = two_commis(store)

    graph.invoke(ASK, config)

    traces = {one.trace_id for one in by_job(store)}
    assert all(re.fullmatch("[0-9a-f]{32}", trace) and trace != "0" * 32 for trace in traces)
    assert len(by_job(store)) == 2
    assert handler.stats.failures == 0
    for line in lines(store.root):
        assert all(len(str(line.get(name, ""))) <= 200 for name in IDS)
