"""A handler with a sink of its own and no store: records in memory, nothing on disk."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.scripted import answers_of, asks, calculator, plain_commis, run, says, scripted
from zerg_visibility import (
    CommisNotFoundError,
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
    report_job,
)

TASK = "Calculate 7*6"
EVENTS = ["llm_call", "tool_call", "llm_call", "commis_run"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Runs in a folder of its own, in which nothing may have appeared at the end."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def sink():
    return MemorySink()


@pytest.fixture
def memory_handler(sink):
    handler = VisibilityCallbackHandler(sinks=[sink], raise_error=True)
    yield handler
    assert handler.open_runs == 0
    assert (handler.stats.failures, handler.stats.dropped_records) == (0, 0)


def events(sink: MemorySink) -> list[str]:
    return [record.event for record in sink.records if record.event != "concierge_run"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_records_of_a_commis_come_to_the_sink(is_async, sink, memory_handler):
    node = create_commis_node(calculator())
    inputs, config = {"messages": [("user", TASK)]}, {"callbacks": [memory_handler]}
    state = asyncio.run(node.ainvoke(inputs, config)) if is_async else node.invoke(inputs, config)
    assert state["messages"][-1].text == "The result is 42."
    assert events(sink) == EVENTS
    assert len({record.commis_id for record in sink.records[:4]}) == 1


def test_no_record_names_a_file_that_is_not_there(sink, memory_handler):
    run(create_commis_node(calculator()), TASK, memory_handler)
    (call,) = [record for record in sink.records if record.event == "tool_call"]
    assert (call.output_file, call.output_bytes) == (None, None)


def test_a_commis_tool_answers_and_output_is_called(sink, memory_handler):
    tool = create_commis_tool(calculator(), name="calc", description="Calculates.")
    graph = create_agent(scripted(asks("calc", task=TASK), says("42.")), [tool])
    (answer,) = answers_of(run(graph, "Please.", memory_handler), "calc")
    assert answer.text.startswith("Result from commis job 1 (commis ")
    assert "Execution time: " in answer.text
    assert answer.text.endswith("\n\nThe result is 42.")

    state = run(create_commis_node(calculator(), output=report_job), TASK, memory_handler)
    assert "job 2" in state["messages"][-1].text
    assert memory_handler.store.metadata(2).totals.llm_calls == 2


def test_a_commis_goes_on_after_an_interrupt(sink, memory_handler):
    def ask(_: MessagesState):
        return {"messages": [says(interrupt("Which one?"))]}

    builder = StateGraph(MessagesState)
    builder.add_node("research", create_commis_node(plain_commis(ask)))
    builder.add_edge(START, "research")
    graph = builder.compile(checkpointer=InMemorySaver())
    config = {"callbacks": [memory_handler], "configurable": {"thread_id": "1"}}
    graph.invoke({"messages": [("user", TASK)]}, config)
    graph.invoke(Command(resume="this one"), config)
    runs = [record for record in sink.records if record.event == "commis_run"]
    assert [(one.job_id, one.status) for one in runs] == [(1, "interrupted"), (1, "success")]
    assert memory_handler.store.metadata(1).segments == 2


def test_commis_of_one_second_have_names_of_their_own(memory_handler):
    store = memory_handler.store
    made = [store.create("task", 1_765_000_000_000_000) for _ in range(3)]
    first = made[0][0]
    assert made == [(first, 1), (f"{first}-2", 2), (f"{first}-3", 3)]
    for _ in range(1500):
        newest = store.create("task", 1_765_000_000_000_000)
    assert store.find(newest[1]) == newest[0]
    with pytest.raises(CommisNotFoundError, match="this store keeps nothing on disk"):
        store.find(1)


def test_what_it_gives_to_read_is_empty(memory_handler):
    run(create_commis_node(calculator()), TASK, memory_handler)
    store = memory_handler.store
    assert (len(store.records(1)), store.result(1), store.files(1)) == (0, None, [])
    assert list(store.recent()) == []
    assert repr(memory_handler).startswith("VisibilityCallbackHandler(store=None, ")
    assert list(pickle.loads(pickle.dumps(store)).recent()) == []


def test_a_store_of_its_own_or_the_environment_brings_files_back(sink, tmp_path, monkeypatch):
    own = CommisStore(tmp_path / "own")
    run(create_commis_node(calculator(), store=own), TASK, VisibilityCallbackHandler(sinks=[sink]))
    assert own.result(1) == "The result is 42."

    run(create_commis_node(calculator()), TASK, VisibilityCallbackHandler(own, sinks=[sink]))
    assert own.result(2) == "The result is 42."

    monkeypatch.setenv("ZERG_VISIBILITY_ROOT", str(tmp_path / "named"))
    run(create_commis_node(calculator()), TASK, VisibilityCallbackHandler(sinks=[sink]))
    assert CommisStore().result(1) == "The result is 42."


def test_without_a_sink_files_are_written_as_ever(empty_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert VisibilityCallbackHandler().store.root == tmp_path / "zerg-data"
    assert VisibilityCallbackHandler(sinks=[]).store.root == tmp_path / "zerg-data"
