"""Callbacks of one's own inside a commis: nothing is lost by them, and nothing doubled."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage

from tests.scenarios.found import kinds, orphans
from tests.scenarios.parts import (
    START,
    MessagesState,
    ScriptedModel,
    StateGraph,
    agent,
    asks,
    outer,
    ping,
)
from zerg_visibility import (
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    visibility,
)

ASK = {"messages": [HumanMessage("Calculate 7*6")]}


class Counting(BaseCallbackHandler):
    """Somebody else's handler."""

    def __init__(self) -> None:
        self.llm_ends = self.tool_ends = 0

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.llm_ends += 1

    def on_tool_end(self, *_: Any, **__: Any) -> None:
        self.tool_ends += 1


def passed(model: Any, other: Any) -> tuple[Any, dict[str, Any]]:
    return model, {"callbacks": [other]}


def configured(model: Any, other: Any) -> tuple[Any, dict[str, Any]]:
    return model.with_config(callbacks=[other]), {}


def constructed(model: Any, other: Any) -> tuple[Any, dict[str, Any]]:
    return model.model_copy(update={"callbacks": [other]}), {}


def emptied(model: Any, other: Any) -> tuple[Any, dict[str, Any]]:
    return model, {"callbacks": []}


def worker(way: Any, other: Any, is_async: bool) -> Any:
    model, config = way(ScriptedModel(script=["The result is 42."]), other)

    def step(state: MessagesState) -> Any:
        ping.invoke({}, {"callbacks": [other]} if config else {})
        return {"messages": [model.invoke(state["messages"], config)]}

    async def astep(state: MessagesState) -> Any:
        await ping.ainvoke({}, {"callbacks": [other]} if config else {})
        return {"messages": [await model.ainvoke(state["messages"], config)]}

    builder = StateGraph(MessagesState).add_node("think", astep if is_async else step)
    return builder.add_edge(START, "think").compile()


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("watching", ["handler", "commis alone", "visibility", "both"])
@pytest.mark.parametrize("way", [passed, configured, constructed, emptied])
def test_every_call_is_recorded_once(way, watching, is_async, store):
    sink, other = MemorySink(), Counting()
    handler = VisibilityCallbackHandler(store, sinks=[sink], raise_error=True)
    commis = create_commis_node(worker(way, other, is_async), store=store)
    config = {"callbacks": [handler] if watching in {"handler", "both"} else []}
    watch = visibility(handler) if watching in {"visibility", "both"} else nullcontext()
    graph = outer(commis)

    with watch:
        asyncio.run(graph.ainvoke(ASK, config)) if is_async else graph.invoke(ASK, config)

    expected = {"tool_call": 1, "llm_call": 1}
    if watching != "commis alone":
        expected |= {"commis_run": 1, "concierge_run": 1}
        assert len(sink.records) == len(expected)
    assert kinds(store.root) == expected
    assert orphans(store.root) == []
    assert handler.open_runs == commis.commis_handler.open_runs == 0
    assert other.llm_ends == (way is not emptied)


def test_another_handler_of_the_same_class_is_no_replacement(store, tmp_path):
    """LangChain leaves ours out where any of its class is; the commis's own has to be there."""
    sink = MemorySink()
    other = VisibilityCallbackHandler(CommisStore(tmp_path / "other"), sinks=[sink])
    handler = VisibilityCallbackHandler(store)

    outer(create_commis_node(worker(passed, other, False), store=store)).invoke(
        ASK, {"callbacks": [handler]}
    )

    assert kinds(store.root) == {
        "tool_call": 1,
        "llm_call": 1,
        "commis_run": 1,
        "concierge_run": 1,
    }
    assert [record.event for record in sink.records] == ["tool_call", "llm_call", "commis_run"]


def test_what_is_set_for_a_commis_is_gone_behind_it(store):
    """A model that the concierge calls after a commis is not recorded as if it were inside."""
    commis = create_commis_node(agent(ScriptedModel(script=[asks("ping"), "42"]), ping),
                                store=store)  # fmt: skip
    model = ScriptedModel(script=["The result is 42."])

    def after(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("commis", commis).add_node("after", after)
    graph = builder.add_edge(START, "commis").add_edge("commis", "after").compile()
    chunks = list(graph.stream(ASK, stream_mode="updates"))

    assert len(chunks) == 2
    assert kinds(store.root) == {"tool_call": 1, "llm_call": 2}
