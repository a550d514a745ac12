"""Segments that overlap, calls that end late, and threads that meet in between: held there."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from tests.langgraph.parts import Gate
from zerg_visibility import (
    CommisStore,
    create_commis_node,
)

HELLO = {"messages": [("user", "Calculate 7*6")]}


def one(step: Any, **compiled: Any) -> Any:
    return (
        StateGraph(MessagesState).add_node("work", step).add_edge(START, "work").compile(**compiled)
    )


def said(text: str) -> Any:
    return {"messages": [AIMessage(text)]}


class InThread:
    """A concierge whose commis works in threads, where nobody can stop it."""

    def __init__(self, store: CommisStore, work: Any, *handlers: Any) -> None:
        # No checkpoints of its own, else an attempt goes on where the one before is.
        self.commis = create_commis_node(one(work, checkpointer=False), store=store)
        self.ended = [threading.Event() for _ in range(9)]
        self.begun = 0
        builder = StateGraph(MessagesState).add_node("research", self.research)
        self.graph = builder.add_edge(START, "research").compile(checkpointer=InMemorySaver())
        self.config: Any = {"callbacks": list(handlers), "configurable": {"thread_id": "1"}}

    async def research(self, state: Any) -> Any:
        ended, self.begun = self.ended[self.begun], self.begun + 1
        return await asyncio.to_thread(self.invoke, state, ended)

    def invoke(self, state: Any, ended: threading.Event) -> Any:
        try:
            return self.commis.invoke(state)
        finally:
            ended.set()

    async def cancel_at(self, gate: Gate, given: Any = HELLO) -> None:
        """Run until a thread is held up in there, then cancel; the thread stays where it is."""
        task = asyncio.create_task(self.graph.ainvoke(given, self.config))
        assert await asyncio.to_thread(gate.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def again(self) -> Any:
        return await self.graph.ainvoke(None, self.config)

    async def let_go(self, gate: Gate, number: int = 0) -> None:
        """Let a thread go on, to the end of its segment."""
        gate.released.set()
        assert await asyncio.to_thread(self.ended[number].wait, 30)


@pytest.mark.parametrize("failing", [False, True])
async def test_an_attempt_that_ends_after_the_next_one_does_not_say_how_the_commis_is(
    failing, store, handler
):
    gate, runs = Gate(), []

    def work(_: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            gate.wait_sync()
            if failing:
                raise ValueError("the first")
            return said("the first")
        return said("the second")

    story = InThread(store, work, handler)
    await story.cancel_at(gate)
    await story.again()
    before = store.metadata(store.find(1))
    assert (before.status, before.segments) == ("success", 2)

    await story.let_go(gate)

    after = store.metadata(store.find(1))
    assert (after.status, after.error, after.finished_at) == ("success", None, before.finished_at)
    assert store.result(after.commis_id) == "the second"
