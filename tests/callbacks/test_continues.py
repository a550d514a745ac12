"""`continues`: which root run one resumes, across handlers and processes."""

from __future__ import annotations

import asyncio

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.processes import python
from tests.scenarios.found import lines
from tests.scripted import plain_commis, run, says, scripted
from zerg_visibility import (
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
)

ASK = {"messages": [("user", "Calculate 7*6")]}


def asking(*questions: str, checkpointer=None, calls: bool = True, **compiled):
    """A graph of two nodes that call a model; the second asks a human one thing after another."""
    model = scripted(says("a plan"), repeat=True)

    def plan(state: MessagesState):
        return {"messages": [model.invoke(state["messages"]) if calls else says("a plan")]}

    def ask(state: MessagesState):
        update = plan(state)
        for question in questions:
            interrupt(question)
        return update

    builder = StateGraph(MessagesState).add_node("plan", plan).add_node("ask", ask)
    builder.add_edge(START, "plan").add_edge("plan", "ask")
    return builder.compile(checkpointer=checkpointer or InMemorySaver(), **compiled)


def config(handler, thread: str = "1") -> dict:
    return {"callbacks": [handler], "configurable": {"thread_id": thread}}


def root_runs(sink: MemorySink) -> list:
    return [record for record in sink.records if record.event == "concierge_run"]


def keys(store: CommisStore) -> int:
    folder = store.root / "keys"
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_resume_names_the_run_that_it_resumes(is_async, store, handler, memory_sink):
    graph = asking("which?")
    for given in (ASK, Command(resume="this one")):
        if is_async:
            asyncio.run(graph.ainvoke(given, config(handler)))
        else:
            graph.invoke(given, config(handler))
    first, second = root_runs(memory_sink)
    assert (first.status, first.continues) == ("interrupted", None)
    assert (second.status, second.continues) == ("success", first.concierge_id)
    assert first.trace_id != second.trace_id
    assert keys(store) == 1


def test_the_run_that_first_stopped_there_is_kept(store, handler, memory_sink):
    """LangGraph asks the second question of a node at the checkpoint of the first."""
    graph = asking("which?", "and then?")
    for given in (ASK, Command(resume="this"), Command(resume="that")):
        graph.invoke(given, config(handler))
    first, *later = root_runs(memory_sink)
    assert [run.status for run in (first, *later)] == ["interrupted", "interrupted", "success"]
    assert [run.continues for run in later] == [first.concierge_id] * 2
    assert keys(store) == 1


def test_runs_that_resume_nothing_have_no_such_field(store, handler, memory_sink):
    graph = asking("which?")
    graph.invoke(ASK, config(handler, "1"))
    graph.invoke(ASK, config(handler, "2"))
    graph.invoke({"messages": [("user", "another turn")]}, config(handler, "1"))
    assert [run.continues for run in root_runs(memory_sink)] == [None] * 3


def test_threads_do_not_mix(store, handler, memory_sink):
    graph = asking("which?")
    for thread in ("1", "2"):
        graph.invoke(ASK, config(handler, thread))
    for thread in ("2", "1"):
        graph.invoke(Command(resume="x"), config(handler, thread))
    one, two, two_again, one_again = root_runs(memory_sink)
    assert one_again.continues == one.concierge_id
    assert two_again.continues == two.concierge_id


def test_a_breakpoint_is_gone_on_from_too(store, handler, memory_sink):
    graph = asking(interrupt_before=["ask"])
    graph.invoke(ASK, config(handler))
    graph.invoke(None, config(handler))
    first, second = root_runs(memory_sink)
    assert (first.status, second.continues) == ("interrupted", first.concierge_id)


def test_an_interrupt_inside_a_commis_links_the_root_runs_around_it(store, handler, memory_sink):
    def ask(_: MessagesState):
        return {"messages": [says(interrupt("which?"))]}

    node = create_commis_node(plain_commis(ask), store=store)
    builder = StateGraph(MessagesState).add_node("research", node).add_edge(START, "research")
    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke(ASK, config(handler))
    graph.invoke(Command(resume="x"), config(handler))
    first, second = root_runs(memory_sink)
    assert (first.continues, second.continues) == (None, first.concierge_id)
    assert [run.concierge_id for run in store.metadata(1).runs] == [
        first.concierge_id, second.concierge_id,
    ]  # fmt: skip


def test_a_run_without_files_is_nothing_to_go_on_from(store, handler, memory_sink):
    graph = asking("which?", calls=False)
    graph.invoke(ASK, config(handler))
    graph.invoke(Command(resume="x"), config(handler))
    assert root_runs(memory_sink) == []
    assert not store.root.exists()


def test_without_a_thread_no_key_is_written(store, handler):
    model = scripted(says("a plan"))

    def ask(state: MessagesState):
        model.invoke(state["messages"])
        return {"messages": [says(interrupt("which?"))]}

    run(plain_commis(ask), "Calculate 7*6", handler)
    assert [line["event"] for line in lines(store.root)] == ["llm_call", "concierge_run"]
    assert keys(store) == 0


def test_in_memory_only_it_is_known_to_the_same_handler():
    sink = MemorySink()
    handler = VisibilityCallbackHandler(sinks=[sink], raise_error=True)
    graph = asking("which?")
    graph.invoke(ASK, config(handler))
    graph.invoke(Command(resume="x"), config(handler))
    first, second = root_runs(sink)
    assert second.continues == first.concierge_id


def test_a_key_that_cannot_be_read_costs_the_link_and_nothing_else(store, memory_sink):
    handler = VisibilityCallbackHandler(store, sinks=[memory_sink])
    graph = asking("which?")
    graph.invoke(ASK, config(handler))
    [key] = (store.root / "keys").iterdir()
    key.write_text("../../somewhere else")
    fresh = VisibilityCallbackHandler(CommisStore(store.root), sinks=[memory_sink])
    graph.invoke(Command(resume="x"), config(fresh))
    assert [run.continues for run in root_runs(memory_sink)] == [None, None]
    assert fresh.stats.failures == 0


IN_ANOTHER_PROCESS = """
import sys
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.callbacks.test_continues import ASK, asking, config
from zerg_visibility import CommisStore, VisibilityCallbackHandler

root, saved, what = sys.argv[1:]
handler = VisibilityCallbackHandler(CommisStore(root), raise_error=True)
with SqliteSaver.from_conn_string(saved) as saver:
    given = ASK if what == "ask" else Command(resume="x")
    asking("which?", checkpointer=saver).invoke(given, config(handler))
"""


def test_it_is_found_in_another_process(store, tmp_path):
    saved = tmp_path / "checkpoints"
    python(IN_ANOTHER_PROCESS, store.root, saved, "ask")
    handler = VisibilityCallbackHandler(store, raise_error=True)
    with SqliteSaver.from_conn_string(str(saved)) as saver:
        asking("which?", checkpointer=saver).invoke(Command(resume="x"), config(handler))
    runs = [line for line in lines(store.root) if line["event"] == "concierge_run"]
    [first] = [run for run in runs if run["status"] == "interrupted"]
    [second] = [run for run in runs if run["status"] == "success"]
    assert second["continues"] == first["concierge_id"]
