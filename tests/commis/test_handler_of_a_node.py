"""Which handler sees a commis whose run has none."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import calculator
from zerg_visibility import (
    CommisStore,
    ConfigurationError,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)

ASK = {"messages": [("user", "Calculate 7*6")]}


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def own(store: CommisStore, sink: MemorySink) -> VisibilityCallbackHandler:
    return VisibilityCallbackHandler(store, sinks=[sink], raise_error=True)


def test_it_is_the_one_that_was_given_and_its_store(own, sink, store):
    create_commis_node(calculator(), handler=own).invoke(ASK)
    assert [record.event for record in sink.records] == [
        "llm_call", "tool_call", "llm_call", "commis_run",
    ]  # fmt: skip
    assert store.metadata(1).status == "success"


def test_the_handler_of_the_run_wins(own, sink, handler, memory_sink):
    create_commis_node(calculator(), handler=own).invoke(ASK, {"callbacks": [handler]})
    assert len(memory_sink.records) == 4
    assert sink.records == []


def test_a_commis_tool_has_one_too(own, sink):
    tool: Any = create_commis_tool(calculator(), name="calc", description="d", handler=own)
    assert "42" in tool.invoke({"task": "Calculate 7*6"})
    assert [record.event for record in sink.records][-1] == "commis_run"


@pytest.mark.parametrize("wrong", ["handler", object(), VisibilityCallbackHandler])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="handler must be a VisibilityCallbackHandler"):
        create_commis_node(calculator(), handler=wrong)


def test_nodes_of_one_store_share_one(store, tmp_path):
    other = CommisStore(tmp_path / "other")
    nodes = [create_commis_node(calculator(), store=one) for one in (store, store, other)]
    again = create_commis_node(calculator(), store=CommisStore(store.root))
    for node in (*nodes, again):
        node.invoke(ASK)
    first, second, third = (node.commis_handler for node in nodes)
    assert first is second is again.commis_handler
    assert third is not first
    assert first.stats.records == 3 * 4
    assert first.open_runs == 0


def test_a_commis_in_another_one_is_part_of_it_though_nobody_gave_a_handler(store):
    inner = create_commis_node(calculator(), store=store)
    builder = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner")
    create_commis_node(builder.compile(), store=store).invoke(ASK)
    outer, nested = sorted(store.recent(), key=lambda one: one.job_id or 0)
    assert nested.parent_commis_id == outer.commis_id


def test_a_shared_one_is_gone_with_the_last_node(store):
    node = create_commis_node(calculator(), store=store)
    node.invoke(ASK)
    shared = weakref.ref(node.commis_handler)
    del node
    gc.collect()
    assert shared() is None


def test_without_a_store_it_is_that_of_the_environment_at_the_first_run(tmp_path, monkeypatch):
    nodes = [create_commis_node(calculator()) for _ in range(2)]
    monkeypatch.setenv("ZERG_VISIBILITY_ROOT", str(tmp_path / "named"))
    for node in nodes:
        node.invoke(ASK)
    assert [one.status for one in CommisStore().recent()] == ["success"] * 2
    assert nodes[0].commis_handler is nodes[1].commis_handler
    assert CommisStore().root == tmp_path / "named"


def test_a_root_that_names_nothing_is_said_at_once_and_later_costs_only_records(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    node = create_commis_node(calculator())
    monkeypatch.setenv("ZERG_VISIBILITY_ROOT", "~nobody-of-this-name/data")
    with pytest.raises(ConfigurationError, match="home"):
        create_commis_node(calculator())
    for _ in range(3):
        assert node.invoke(ASK)["messages"][-1].text == "The result is 42."
    assert caplog.text.count("could not find a handler for a commis") == 1
