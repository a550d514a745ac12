"""What races are made of: threads that nobody can stop, held up where it matters."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from tests.scenarios.parts import Gate
from tests.scripted import plain_commis
from zerg_visibility import (
    CommisStore,
    create_commis_node,
)

HELLO = {"messages": [("user", "Calculate 7*6")]}


one = plain_commis


def around(commis: Any, *, checkpointer: Any = None, **node: Any) -> Any:
    builder = StateGraph(MessagesState).add_node("research", commis, **node)
    return builder.add_edge(START, "research").compile(checkpointer=checkpointer)


def said(text: str) -> Any:
    return {"messages": [AIMessage(text)]}


@tool
def late() -> str:
    """Answer when nobody waits any more."""
    return "late"


@tool
def prompt() -> str:
    """Answer at once."""
    return "prompt"


class HeldUpFile:
    """A file of a store, that something comes before each line of.

    Args:
        file: The file.
        before: Called with each line.
    """

    def __init__(self, file: Any, before: Callable[[bytes], object]) -> None:
        self.file, self.before = file, before

    def append(self, line: bytes) -> None:
        self.before(line)
        self.file.append(line)

    def close(self) -> None:
        self.file.close()


class Story:
    """A concierge of one node that is cancelled while a thread is held up, and tried again.

    Args:
        node: The node.
        handlers: What sees it.
    """

    def __init__(self, node: Any, *handlers: Any) -> None:
        self.graph = around(node, checkpointer=InMemorySaver())
        self.config: Any = {"callbacks": list(handlers), "configurable": {"thread_id": "1"}}

    async def cancel_at(self, gate: Gate, given: Any = HELLO) -> None:
        """Run until a thread is held up in there, then cancel; the thread stays where it is."""
        task = asyncio.create_task(self.graph.ainvoke(given, self.config))
        assert await asyncio.to_thread(gate.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def again(self) -> None:
        await self.graph.ainvoke(None, self.config)


class InThread(Story):
    """Its commis works in threads, where nobody can stop it."""

    def __init__(self, store: CommisStore, work: Any, *handlers: Any) -> None:
        super().__init__(self.research, *handlers)
        # No checkpoints of its own, else an attempt goes on where the one before is.
        self.commis = create_commis_node(one(work, checkpointer=False), store=store)
        self.ended = [threading.Event() for _ in range(9)]
        self.begun = 0

    async def research(self, state: Any) -> Any:
        ended, self.begun = self.ended[self.begun], self.begun + 1
        return await asyncio.to_thread(self.invoke, state, ended)

    def invoke(self, state: Any, ended: threading.Event) -> Any:
        try:
            return self.commis.invoke(state)
        finally:
            ended.set()

    async def let_go(self, gate: Gate, number: int = 0) -> None:
        """Let a thread go on, to the end of its segment."""
        gate.released.set()
        assert await asyncio.to_thread(self.ended[number].wait, 30)


class Stubborn(Story):
    """Its commis is cancelled while a thread of it goes on, and calls tools later.

    Args:
        store: Where the commis lies.
        handler: What sees it.
        late: The tools.
        then: A tool that each run of the commis calls in time.
    """

    def __init__(self, store: CommisStore, handler: Any, *late: Any, then: Any = None) -> None:
        super().__init__(create_commis_node(one(self.work), store=store), handler)
        self.gate, self.done = Gate(), threading.Event()
        self.late, self.then, self.runs = late, then, 0

    def call_late(self) -> None:
        try:
            self.gate.wait_sync()
            for one_tool in self.late:
                one_tool.invoke({})
        finally:
            self.done.set()

    async def work(self, _: Any) -> Any:
        self.runs += 1
        if self.runs == 1:
            await asyncio.to_thread(self.call_late)
        if self.then is not None:
            await self.then.ainvoke({})
        return said("The result is 42.")

    async def cancel(self) -> None:
        await self.cancel_at(self.gate)

    async def let_go(self) -> None:
        self.gate.released.set()
        assert await asyncio.to_thread(self.done.wait, 30)
