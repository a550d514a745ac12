"""Work that goes on after its segment ended, tool calls with one id, and keys of several owners."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, interrupt

from tests.langgraph.parts import Gate
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    ConciergeToolkit,
    MemorySink,
    Record,
    ToolCallRecord,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.store.appending import AppendFile

HELLO = {"messages": [("user", "Calculate 7*6")]}


def one(step: Any, **compiled: Any) -> Any:
    return (
        StateGraph(MessagesState).add_node("work", step).add_edge(START, "work").compile(**compiled)
    )


def around(commis: Any, *, checkpointer: Any = None, **node: Any) -> Any:
    builder = StateGraph(MessagesState).add_node("research", commis, **node)
    return builder.add_edge(START, "research").compile(checkpointer=checkpointer)


@tool
def late() -> str:
    """Answer when nobody waits any more."""
    return "late"


class Stubborn:
    """A node whose first run cannot be stopped: its thread calls a tool after all is over."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.runs = 0
        self.done = threading.Event()

    def work(self) -> None:
        self.gate.wait_sync()
        late.invoke({})
        self.done.set()

    async def __call__(self, _: Any) -> Any:
        self.runs += 1
        if self.runs == 1:
            await asyncio.to_thread(self.work)
        return {"messages": [AIMessage("The result is 42.")]}

    def finish(self) -> None:
        self.gate.released.set()
        assert self.done.wait(30)


@pytest.mark.parametrize("how", ["retried", "resumed"])
async def test_a_late_call_of_a_cancelled_attempt_leaves_the_success_as_it_is(how, store, handler):
    stubborn = Stubborn()
    node = create_commis_node(one(stubborn), store=store)
    if how == "retried":
        policy = RetryPolicy(initial_interval=0.01, retry_on=lambda _: True)
        graph = around(node, timeout=0.3, retry_policy=policy)
        await graph.ainvoke(HELLO, {"callbacks": [handler]})
    else:
        graph = around(node, checkpointer=InMemorySaver())
        config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
        task = asyncio.create_task(graph.ainvoke(HELLO, config))
        await asyncio.to_thread(stubborn.gate.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await graph.ainvoke(None, config)
    before = store.metadata(store.find(1))
    assert (before.status, before.segments, before.totals.tool_calls) == ("success", 2, 0)

    await asyncio.to_thread(stubborn.finish)

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)
    assert after.finished_at == before.finished_at
    answer = ConciergeToolkit(store=store).get_tools()[0].invoke({"job_id": 1})
    assert answer.endswith("The result is 42.")


class HeldUp(MemorySink):
    """Keeps the thread of a tool call between its line in metrics.jsonl and what comes after."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def emit(self, record: Record) -> None:
        if isinstance(record, ToolCallRecord):
            self.gate.wait_sync()
        super().emit(record)


async def test_a_late_call_that_the_next_segment_has_read_already_is_counted_once(store):
    sink, finished = HeldUp(), threading.Event()
    runs: list[int] = []

    def call_the_tool() -> None:
        late.invoke({})
        finished.set()

    async def work(_: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            await asyncio.to_thread(call_the_tool)
        return {"messages": [AIMessage("The result is 42.")]}

    graph = around(create_commis_node(one(work), store=store), checkpointer=InMemorySaver())
    handler = VisibilityCallbackHandler(store, sinks=[sink])
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    task = asyncio.create_task(graph.ainvoke(HELLO, config))
    assert await asyncio.to_thread(sink.gate.entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await graph.ainvoke(None, config)
    assert store.metadata(store.find(1)).totals.tool_calls == 1

    sink.gate.released.set()
    assert await asyncio.to_thread(finished.wait, 30)

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)
    assert len(store.records(after.commis_id).items) == 1


class SlowStarts(CommisStore):
    """Keeps a thread between noting a call's start and going on with it."""

    gate: Gate

    def append_file(self, path: Path) -> AppendFile:
        outer = self

        class HeldUpFile(AppendFile):
            def append(self, line: bytes) -> None:
                outer.gate.wait_sync()
                super().append(line)

        return (HeldUpFile if path.name == "started.jsonl" else AppendFile)(path, self.modes)


async def test_a_call_that_is_cancelled_while_it_starts_took_no_time(tmp_path, clock):
    store, done = SlowStarts(tmp_path), threading.Event()
    store.gate = Gate()

    def call_the_tool() -> None:
        late.invoke({})
        done.set()

    async def work(_: Any) -> None:
        await asyncio.to_thread(call_the_tool)

    graph = around(create_commis_node(one(work), store=store))
    handler = VisibilityCallbackHandler(store, clock=clock)
    task = asyncio.create_task(graph.ainvoke(HELLO, {"callbacks": [handler]}))
    assert await asyncio.to_thread(store.gate.entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.gate.released.set()
    assert await asyncio.to_thread(done.wait, 30)

    [call] = store.records(store.find(1)).items
    assert (call.error, call.end_us - call.start_us) == ("cancelled", 0)
    assert call.start_us == clock.wall_us()
    assert (handler.open_runs, handler.stats.late_ends) == (0, 1)


class HeldUpStore(CommisStore):
    """Keeps a thread between deciding to write a metadata.json and writing it."""

    gate: Gate | None = None

    def save_metadata(self, metadata: CommisMetadata) -> None:
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.wait_sync()
        super().save_metadata(metadata)


async def test_a_late_call_of_an_earlier_segment_leaves_the_running_one_running(tmp_path):
    store, stubborn, held = HeldUpStore(tmp_path), Stubborn(), Gate()

    async def work(state: Any) -> Any:
        if stubborn.runs == 1:
            held.released.set()
            assert await asyncio.to_thread(stubborn.done.wait, 30)
            at_work.append(store.metadata(store.find(1)))
        return await stubborn(state)

    at_work: list[CommisMetadata] = []
    graph = around(create_commis_node(one(work), store=store), checkpointer=InMemorySaver())
    config = {
        "callbacks": [VisibilityCallbackHandler(store)],
        "configurable": {"thread_id": "1"},
    }
    task = asyncio.create_task(graph.ainvoke(HELLO, config))
    assert await asyncio.to_thread(stubborn.gate.entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.gate = held
    stubborn.gate.released.set()  # the late call now ends, and waits before it writes
    assert await asyncio.to_thread(held.entered.wait, 30)
    await graph.ainvoke(None, config)

    assert [(one.status, one.segments, one.totals.tool_calls) for one in at_work] == [
        ("running", 2, 1)
    ]
    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)


@pytest.mark.parametrize("call_id", ["call_0", ""])
def test_parallel_tool_calls_with_one_id_are_two_commis(call_id, store, handler):
    both_at_work = threading.Barrier(2, timeout=30)

    def work(state: Any) -> Any:
        both_at_work.wait()
        return {"messages": [AIMessage(f"Answer to {state['messages'][0].text}")]}

    def think(_: Any) -> Any:
        calls = [
            {"name": "research", "id": call_id, "args": {"task": f"{which} question"}}
            for which in ("first", "second")
        ]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    research = create_commis_tool(one(work), name="research", description="Look up.", store=store)
    builder = StateGraph(MessagesState).add_node(think).add_node("tools", ToolNode([research]))
    graph = builder.add_edge(START, "think").add_edge("think", "tools").compile()

    state = graph.invoke(HELLO, {"callbacks": [handler]})

    answers = [message.text.rpartition("\n\n")[2] for message in state["messages"][-2:]]
    assert answers == ["Answer to first question", "Answer to second question"]
    found = {one.task: (one.status, store.result(one.commis_id)) for one in store.recent()}
    assert found == {
        "first question": ("success", answers[0]),
        "second question": ("success", answers[1]),
    }


def test_threads_of_the_same_id_do_not_mix_up_commis_of_several_owners(store, handler):
    """As where each user has a checkpointer of his own and all share one store."""

    def asking(user: str) -> Any:
        def ask(_: Any) -> Any:
            return {"messages": [AIMessage(f"{user} says {interrupt('May I?')}")]}

        graph = one(ask, checkpointer=InMemorySaver())
        return create_commis_node(graph, store=store, owner_id=user)

    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    graphs = {user: asking(user) for user in ("alice", "bob")}
    for graph in graphs.values():
        graph.invoke(HELLO, config)
    for graph in graphs.values():
        graph.invoke(Command(resume="yes"), config)
    found = {one.owner_id: (one.segments, store.result(one.commis_id)) for one in store.recent()}
    assert found == {user: (2, f"{user} says yes") for user in graphs}


def test_a_retried_node_that_leaves_out_its_first_commis_continues_the_second(store, handler):
    failures = [ConnectionError("flaky")]

    def second(_: Any) -> Any:
        if failures:
            raise failures.pop()
        return {"messages": [AIMessage("B's answer")]}

    first = create_commis_node(
        one(lambda _: {"messages": [AIMessage("A's answer")]}),
        store=store, name="A", owner_id="alice",
    )  # fmt: skip
    then = create_commis_node(one(second), store=store, name="B", owner_id="bob")
    known: list[Any] = []

    def work(_: Any) -> Any:
        if not known:
            known.append(first.invoke(HELLO))
        then.invoke(HELLO)

    policy = RetryPolicy(initial_interval=0.01, retry_on=ConnectionError)
    around(work, retry_policy=policy).invoke(HELLO, {"callbacks": [handler]})
    found = {
        one.name: (one.owner_id, one.attempts, store.result(one.commis_id))
        for one in store.recent()
    }
    assert found == {"A": ("alice", 1, "A's answer"), "B": ("bob", 2, "B's answer")}
