"""A commis that waits for a human goes on, whether or not what is stored of it can be used."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.faults.runs import lines_in, said_once
from tests.faults.sabotage import ERRORS, OPERATIONS, Sabotage
from tests.scripted import asks, says, scripted, without_message_ids
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node

NEVER_NEEDED = {"list"}
CONFIG: dict[str, Any] = {"configurable": {"thread_id": "1"}}


@tool
def ask_human(question: str) -> str:
    """Ask a human."""
    return f"the human said {interrupt(question)}"


def inquiry() -> Any:
    """A commis that stops in the middle."""

    def decide(messages: list[BaseMessage]) -> AIMessage:
        if isinstance(messages[-1], ToolMessage):
            return says("Done.")
        return asks("ask_human", question="May I?")

    return create_agent(scripted(decide, repeat=True), [ask_human])


def concierge(commis: Any, saver: InMemorySaver | None = None) -> Any:
    builder = StateGraph(MessagesState).add_node("inquiry", commis).add_edge(START, "inquiry")
    return builder.compile(checkpointer=saver or InMemorySaver())


def begin(graph: Any, *handlers: Any) -> None:
    graph.invoke({"messages": [("user", "Go on.")]}, {**CONFIG, "callbacks": list(handlers)})


def resume(graph: Any, *handlers: Any) -> Any:
    state = graph.invoke(Command(resume="yes"), {**CONFIG, "callbacks": list(handlers)})
    return without_message_ids(state)


@pytest.fixture
def expected() -> Any:
    graph = concierge(inquiry())
    begin(graph)
    return resume(graph)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_resume_under_a_fault(operation, error, expected, store, monkeypatch, caplog):
    saver = InMemorySaver()
    begin(
        concierge(create_commis_node(inquiry(), store=store), saver),
        VisibilityCallbackHandler(store),
    )
    assert [commis.status for commis in store.recent()] == ["interrupted"]
    # As in another process, which knows nothing of the commis but what is on disk.
    store = CommisStore(store.root)
    handler = VisibilityCallbackHandler(store)
    graph = concierge(create_commis_node(inquiry(), store=store), saver)
    lines_before = lines_in(store)
    sabotage = Sabotage(store.root)
    sabotage.install(monkeypatch, OPERATIONS[operation])
    sabotage.on(ERRORS[error])

    assert resume(graph, handler) == expected

    sabotage.off()
    assert sabotage.hits or operation in NEVER_NEEDED
    stats = handler.stats
    assert stats.open_runs == 0
    # A commis that could not be opened is a record that was dropped before it could be made.
    never_made = "could not start watching a commis" in caplog.text
    dropped = stats.dropped_records - never_made
    assert lines_in(store) - lines_before + dropped == stats.records
    if stats.failures:
        assert said_once(caplog)


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b"null", b'{"status": 1}', b"\xff\xfe\x00"])
@pytest.mark.parametrize("file", ["metadata.json", "metrics.jsonl", "started.jsonl"])
def test_a_resume_on_damaged_files(file, left, expected, store):
    handler = VisibilityCallbackHandler(store)
    graph = concierge(create_commis_node(inquiry(), store=store))
    begin(graph, handler)
    [commis] = store.recent()
    (store.folder(commis.commis_id) / file).write_bytes(left)

    assert resume(graph, handler) == expected

    [commis] = store.recent()
    assert commis.status == "success"
    read = store.records(commis.commis_id)
    assert [record.event for record in read.items][-2:] == ["tool_call", "llm_call"]
    assert read.torn is False
    assert handler.open_runs == 0
