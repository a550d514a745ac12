"""Calls of several threads that begin and end in the middle of each other."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.tools import tool
from langgraph.errors import NodeTimeoutError
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import RetryPolicy

from tests.races.stories import HELLO, HeldUpFile, around, late, one, prompt, said
from tests.scenarios.parts import Gate, ScriptedModel
from zerg_visibility import (
    CommisRunRecord,
    CommisStore,
    MemorySink,
    Record,
    VisibilityCallbackHandler,
    create_commis_node,
)


class SlowStarts(CommisStore):
    """Keeps a thread between noting the start of a commis's call and going on with it."""

    gate: Gate

    def append_file(self, path: Path) -> Any:
        file = super().append_file(path)
        if path.name != "started.jsonl" or path.parents[1].name != "commis":
            return file
        return HeldUpFile(file, lambda _: self.gate.wait_sync())


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


class HeldUpSink(MemorySink):
    """Keeps a thread that tells of a segment."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def emit(self, record: Record) -> None:
        if isinstance(record, CommisRunRecord):
            self.gate.wait_sync()
        super().emit(record)


async def test_every_watcher_hears_of_a_segment_though_one_more_comes_meanwhile(store, handler):
    held, began = Gate(), Gate()
    sinks = [HeldUpSink(held), HeldUpSink(held)]
    others = [VisibilityCallbackHandler(store, sinks=[sink]) for sink in sinks]
    third = VisibilityCallbackHandler(store)

    def call_late() -> None:
        began.wait_sync()
        late.invoke({}, {"callbacks": [third]})
        held.released.set()

    async def work(_: Any) -> Any:
        background.append(asyncio.create_task(asyncio.to_thread(call_late)))
        assert await asyncio.to_thread(began.entered.wait, 30)
        return said("The result is 42.")

    background: list[Any] = []
    node = create_commis_node(one(work), store=store)
    builder = StateGraph(MessagesState).add_node("research", node).add_edge(START, "research")
    running = asyncio.to_thread(
        asyncio.run, builder.compile().ainvoke(HELLO, {"callbacks": [handler, *others]})
    )
    ending = asyncio.create_task(running)
    assert await asyncio.to_thread(held.entered.wait, 30)
    began.released.set()
    await ending

    assert [sum(isinstance(r, CommisRunRecord) for r in sink.records) for sink in sinks] == [1, 1]
    assert handler.stats.failures == 0


class HeldUpId(str):
    """The id of a tool call, which keeps the thread that looks for an earlier call of this id."""

    __slots__ = ("gate",)
    gate: Gate

    def __eq__(self, other: object) -> bool:
        self.gate.wait_sync()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


async def test_a_call_begins_while_another_one_looks_for_what_was_cut_off_before_it(store, handler):
    stuck, meanwhile = Gate(), Gate()
    call_id = HeldUpId("b")
    call_id.gate = Gate()
    runs: list[int] = []

    @tool
    def wait(number: int) -> str:
        """Wait in a thread."""
        (stuck, meanwhile)[number].wait_sync()
        return "late"

    def call(one_tool: Any, call_id: str, **args: Any) -> Any:
        given = {"name": one_tool.name, "args": args, "id": call_id, "type": "tool_call"}
        return asyncio.create_task(asyncio.to_thread(one_tool.invoke, given))

    async def work(_: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            await call(wait, "a", number=0)
        looking = call(prompt, call_id)
        assert await asyncio.to_thread(call_id.gate.entered.wait, 30)
        beginning = call(wait, "c", number=1)
        assert await asyncio.to_thread(meanwhile.entered.wait, 30)
        call_id.gate.released.set()
        await looking
        meanwhile.released.set()
        await beginning
        return said("The result is 42.")

    again = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=NodeTimeoutError)
    builder = StateGraph(MessagesState).add_node("work", work, timeout=0.5, retry_policy=again)
    node = create_commis_node(builder.add_edge(START, "work").compile(), store=store)
    await node.ainvoke(HELLO, {"callbacks": [handler]})
    stuck.released.set()

    assert handler.stats.failures == 0
    assert store.metadata(store.find(1)).totals.tool_calls == 3


async def test_a_call_that_begins_after_all_has_ended_and_is_cancelled_does_not_stay_open(
    store, handler
):
    """As newer LangChain reports it of a tool in a task that nobody waits for."""
    over = asyncio.Event()

    async def linger() -> None:
        await over.wait()
        run_id = uuid4()
        handler.on_tool_start({"name": "ls"}, "", run_id=run_id)
        handler.on_tool_error(asyncio.CancelledError(), run_id=run_id)

    async def work(_: Any) -> Any:
        background.append(asyncio.create_task(linger()))
        return said("The result is 42.")

    background: list[asyncio.Task[None]] = []
    node = create_commis_node(one(work), store=store)
    builder = StateGraph(MessagesState).add_node("research", node).add_edge(START, "research")
    await builder.compile().ainvoke(HELLO, {"callbacks": [handler]})
    over.set()
    await background[0]

    assert handler.open_runs == 0
    (record,) = store.records(store.find(1)).items
    assert (record.success, record.error) == (False, "cancelled")


async def test_only_calls_until_the_first_success_are_initial(store):
    """Though two end at once, one of them held up while its record is made."""
    gate, model = Gate(), ScriptedModel(script=["fine"], name_of_model="held up")
    other = ScriptedModel(script=["fine"])

    def redact(text: str) -> str:
        if text == "held up-2026":
            gate.wait_sync()
        return text

    async def work(_: Any) -> Any:
        first = asyncio.create_task(asyncio.to_thread(model.invoke, "x"))
        assert await asyncio.to_thread(gate.entered.wait, 30)
        await other.ainvoke("x")
        gate.released.set()
        await first
        return said("The result is 42.")

    node = create_commis_node(one(work), store=store, redact=redact)
    await node.ainvoke(HELLO, {"callbacks": [VisibilityCallbackHandler(store, raise_error=True)]})

    records = store.records(store.find(1)).items
    assert sorted(record.phase for record in records) == ["initial", "synthesis"]
