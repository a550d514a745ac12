"""Under blockbuster with its own defaults, stricter than `langgraph dev`, as in a user's tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from tests.scripted import answers_of, asks, says, scripted
from zerg_visibility import (
    CommisStore,
    ConciergeToolkit,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
    create_commis_tool,
    redact_secrets,
    report_job,
)

SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
CONFIG = {"configurable": {"thread_id": "1"}}


@pytest.fixture(autouse=True)
def detector():
    with blockbuster_ctx():
        yield


@pytest.fixture
def store(detector, tmp_path, monkeypatch) -> CommisStore:
    """One whose root is relative, and not there yet."""
    monkeypatch.chdir(tmp_path)
    return CommisStore("zerg-data")


@pytest.fixture
def handler(store):
    """Watches into a log file as well, and has lost nothing in the end."""
    configure_logging()
    handler = VisibilityCallbackHandler(store)
    yield handler
    stats = handler.stats
    assert (stats.failures, stats.dropped_records, stats.open_runs) == (0, 0, 0)
    assert stats.records > 0


@tool
async def look_up(key: str) -> str:
    """Look something up."""
    return f"{key} is {SECRET}"


@tool
async def ask_human(question: str) -> str:
    """Ask a human."""
    return f"the human said {interrupt(question)}"


def worker(*tools: Any, asking: AIMessage, repeat: bool = True) -> Any:
    """An agent that uses a tool and says what it answered, all in the event loop."""

    def decide(messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1]
        return says(last.text) if isinstance(last, ToolMessage) else asking

    return create_agent(scripted(decide, repeat=repeat), list(tools))


def outer(commis: Any, **node: Any) -> Any:
    builder = StateGraph(MessagesState).add_node("research", commis, **node)
    return builder.add_edge(START, "research").compile(checkpointer=InMemorySaver())


async def run(graph: Any, handler: VisibilityCallbackHandler, given: Any = None) -> dict[str, Any]:
    """Run a graph in the event loop, as a new task or with an answer to its question."""
    given = given or {"messages": [("user", "Look it up.")]}
    state: dict[str, Any] = await graph.ainvoke(given, {**CONFIG, "callbacks": [handler]})
    return state


def read(path: Path) -> str:
    """Read a file as the detector allows it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.pread(fd, 100_000, 0).decode()
    finally:
        os.close(fd)


async def test_the_detector_is_at_work(store):
    with pytest.raises(BlockingError):
        Path("zerg-data").mkdir()


async def test_a_node_leaves_all_its_files(store, handler, tmp_path):
    node = create_commis_node(
        worker(look_up, asking=asks("look_up", key="it")),
        store=store,
        redact=redact_secrets,
        output=report_job,
    )

    state = await run(outer(node), handler)

    assert state["messages"][-1].text.startswith("Commis job 1 ")
    [commis] = store.recent()
    assert (commis.status, commis.totals.llm_calls, commis.totals.tool_calls) == ("success", 2, 1)
    folder = store.folder(commis.commis_id)
    output = read(folder / "tool_calls/001_look_up.txt")
    assert output.startswith("it is ")
    assert SECRET not in output
    assert len(read(folder / "started.jsonl").splitlines()) == 3
    assert len(read(folder / "thread.jsonl").splitlines()) == 4
    assert len(read(tmp_path / "logs/backend/backend.log").splitlines()) == 4


async def test_a_tool_and_the_tools_that_read_of_it(store, handler):
    research = create_commis_tool(
        worker(look_up, asking=asks("look_up", key="it")),
        name="research",
        description="Give it a task.",
        store=store,
    )
    toolkit = ConciergeToolkit(store=store).get_tools()
    reads = [
        asks("read_commis_result", job_id="1"),
        asks("read_commis_file", job_id="1", file_path="metrics.jsonl"),
        asks("list_commis"),
        asks("grep_commis", pattern="look_up"),
        asks("get_commis_metadata", job_id="1"),
        asks("get_commis_metrics", job_id="1"),
    ]
    script = scripted(asks("research", task="Look it up."), *reads, says("Done."))

    state = await run(create_agent(script, [research, *toolkit]), handler)

    answers = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert len(answers) == 1 + len(toolkit)
    assert {answer.status for answer in answers} == {"success"}
    assert "metrics.jsonl" in answers_of(state, "grep_commis")[0].text


async def test_an_interrupt_and_its_answer(store, handler):
    graph = outer(
        create_commis_node(
            worker(ask_human, asking=asks("ask_human", question="May I?")), store=store
        )
    )

    await run(graph, handler)
    [commis] = store.recent()
    assert commis.status == "interrupted"

    await run(graph, handler, Command(resume="yes"))
    [commis] = store.recent()
    assert (commis.status, commis.segments) == ("success", 2)
    assert store.result(commis.commis_id) == "the human said yes"


async def test_an_interrupt_answered_by_another_store_object(store, handler):
    """As another process finds it: everything is read from disk."""
    inquiry = worker(ask_human, asking=asks("ask_human", question="May I?"))
    graph = outer(create_commis_node(inquiry, store=store))
    await run(graph, handler)

    again = StateGraph(MessagesState)
    again.add_node("research", create_commis_node(inquiry, store=CommisStore("zerg-data")))
    again.add_edge(START, "research")
    await run(again.compile(checkpointer=graph.checkpointer), handler, Command(resume="yes"))

    [commis] = store.recent()
    assert (commis.status, commis.segments) == ("success", 2)


async def test_a_retry(store, handler):
    commis = create_agent(scripted(OSError("not yet"), says("Done.")), [])
    policy = RetryPolicy(initial_interval=0.001, retry_on=OSError)

    await run(outer(create_commis_node(commis, store=store), retry_policy=policy), handler)

    [found] = store.recent()
    assert (found.status, found.attempts) == ("success", 2)
    assert [record.success for record in store.records(found.commis_id).items] == [False, True]
