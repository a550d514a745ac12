"""What fails beside a record is counted and said; what was counted before stays counted."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.scripted import asks, commis_agent, plain_commis, run, says
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    VisibilityCallbackHandler,
    create_commis_node,
    redact_secrets,
)
from zerg_visibility.diagnostics import MAX_KINDS, Diagnostics

KEY = "sk-proj-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3dE6gH9"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tool_calls", "could not store a tool's output"),
        ("started.jsonl", "could not write a line of started.jsonl"),
    ],
)
def test_what_is_stored_beside_records_fails(name, said, store, caplog, let_pass):
    @tool
    def spoil() -> str:
        """Put a file where a folder should be, or the other way round."""
        path = store.folder(store.find(1)) / name
        if name == "tool_calls":
            path.write_text("")
        else:
            path.unlink()
            path.mkdir()
        let_pass(1)  # until the file is looked at again
        return "done"

    handler = VisibilityCallbackHandler(store)
    commis = commis_agent(asks("spoil"), says("The result is 42."), tools=[spoil])
    state = run(create_commis_node(commis, store=store), "Calculate 7*6", handler)
    assert state["messages"][-1].text == "The result is 42."
    assert [message for message in caplog.messages if said in message] == caplog.messages
    assert handler.stats.failures == len(caplog.messages) == 1
    assert len(store.records(store.find(1)).items) == 3


def waiting() -> Any:
    def ask(_: Any) -> Any:
        return {"messages": [AIMessage(f"The human said {interrupt('May I?')}.")]}

    builder = StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")
    return builder.compile(checkpointer=InMemorySaver())


def test_records_dropped_by_an_earlier_segment_stay_counted(store, handler):
    node = create_commis_node(waiting(), store=store)
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    node.invoke({"messages": [("user", "Ask.")]}, config)
    store.save_metadata(replace(store.metadata(store.find(1)), dropped_records=2))
    node.invoke(Command(resume="yes"), config)
    metadata = store.metadata(store.find(1))
    assert (metadata.segments, metadata.dropped_records) == (2, 2)


def test_a_key_that_cannot_be_written_is_counted(store, caplog):
    (store.root).mkdir()
    (store.root / "keys").write_text("")
    handler = VisibilityCallbackHandler(store)
    node = create_commis_node(waiting(), store=store)
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    node.invoke({"messages": [("user", "Ask.")]}, config)
    assert store.metadata(store.find(1)).status == "interrupted"
    assert "could not write the key of a resumable commis" in caplog.messages[0]


def test_a_process_of_the_same_number_is_another_one():
    mine = CommisMetadata(
        commis_id="2025-12-15T04-08-08_a", status="running", pid=os.getpid(),
        pid_started="long ago", host=socket.gethostname(),
    )  # fmt: skip
    assert mine.seen_now().status == "lost"


def test_of_faults_only_so_many_kinds_are_remembered(caplog):
    diagnostics = Diagnostics()
    for doing in ("begin", *map(str, range(MAX_KINDS)), "begin"):
        diagnostics.note(doing, OSError("no"))
    assert sum("could not begin" in message for message in caplog.messages) == 2
    assert diagnostics.failures == len(caplog.messages) == MAX_KINDS + 2


def test_a_key_in_a_tools_own_error_answer_or_in_a_phase_is_redacted(store: CommisStore, handler):
    @tool
    def lookup() -> Any:
        """Answer with an error."""
        return ToolMessage(f"bad key {KEY}", status="error", tool_call_id="call_lookup")

    commis = commis_agent(asks("lookup"), says("No."), tools=[lookup]).with_config(
        metadata={"zerg_phase": f"with {KEY}"}
    )
    step = plain_commis(lambda state: {"messages": commis.invoke(state)["messages"][-1:]})
    run(create_commis_node(step, store=store, redact=redact_secrets), "Look it up", handler)
    folder = store.folder(store.find(1))
    records = (folder / "metrics.jsonl").read_text()
    assert "bad key [redacted]" in records
    assert '"phase":"with [redacted]"' in records
    assert [
        path.name for path in folder.rglob("*") if path.is_file() and KEY in path.read_text()
    ] == []
