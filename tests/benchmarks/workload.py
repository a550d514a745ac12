"""LangChain's own callback managers, driven in a node of a real graph.

A LangGraph step costs 1 to 2 ms and varies by more than what is to be measured, so models and
tools are left out: only the start and end hooks that they would call are called, as langchain-core
calls them.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph

Kind = Literal["calls", "tools", "chains", "chunks", "worst"]

MODEL = {"name": "ChatOpenAI", "id": ["langchain", "chat_models", "openai", "ChatOpenAI"]}
PARAMS = {"model": "gpt-5-mini", "model_name": "gpt-5-mini", "temperature": 0.0, "_type": "openai"}
METADATA = {"ls_provider": "openai", "ls_model_name": "gpt-5-mini", "ls_model_type": "chat"}
ANSWER = LLMResult(
    generations=[
        [
            ChatGeneration(
                message=AIMessage(
                    "",
                    tool_calls=[{"name": "ssh_exec", "args": {"command": "df -h"}, "id": "call_1"}],
                    usage_metadata={
                        "input_tokens": 1234,
                        "output_tokens": 89,
                        "total_tokens": 1323,
                        "input_token_details": {"cache_read": 1024},
                        "output_token_details": {"reasoning": 64},
                    },
                    response_metadata={"model_name": "gpt-5-mini-2025-08-07"},
                )
            )
        ]
    ]
)
TOOL = {"name": "ssh_exec", "description": "Run a command on a host."}
ARGS = {"host": "web-1", "command": "df -h"}
ARGS_TEXT = str(ARGS)
OUTPUT = ToolMessage(
    "/dev/sda1  50G  21G  27G  44% /\n" * 30, tool_call_id="call_1", name="ssh_exec"
)
CHUNK = ChatGenerationChunk(message=AIMessageChunk("word "))


@dataclass(slots=True)
class Spike:
    """The event that took longest.

    Args:
        wall_us: How long it held its thread.
        cpu_us: How much of that it spent computing, rather than waiting for the processor.
        what: Which event it was.
        collected: Whether Python's garbage collector ran during it.
    """

    wall_us: float = 0.0
    cpu_us: float = 0.0
    what: str = ""
    collected: bool = False


@dataclass(slots=True)
class Load:
    """What one run of the graph is to do, and what it measured.

    Args:
        kind: Which events: model and tool calls in turn, tools alone, chain runs, streamed chunks,
            or calls timed one by one.
        events: How many.
        messages: How many messages the conversation holds.
    """

    kind: Kind
    events: int
    messages: int = 20
    cpu_us: float = 0.0
    spikes: list[Spike] = field(default_factory=list)

    @property
    def history(self) -> list[Any]:
        """The conversation that models are started with."""
        return [HumanMessage(f"message {n}") for n in range(self.messages)]


class State(TypedDict, total=False):
    """The graph's state; the load travels outside of it."""

    task: str


def build(load: Callable[[], Load], *, asynchronous: bool) -> Any:
    """Make a graph of one node that works off the current load."""

    def node(state: State, config: RunnableConfig) -> State:
        manager = config["callbacks"].copy()
        manager.add_metadata(METADATA)
        now = load()
        gc.collect()
        before = time.process_time_ns()
        _SYNC[now.kind](manager, now)
        now.cpu_us = (time.process_time_ns() - before) / 1000 / now.events
        return {}

    async def anode(state: State, config: RunnableConfig) -> State:
        manager = config["callbacks"].copy()
        manager.add_metadata(METADATA)
        now = load()
        gc.collect()
        before = time.process_time_ns()
        await _ASYNC[now.kind](manager, now)
        now.cpu_us = (time.process_time_ns() - before) / 1000 / now.events
        return {}

    graph = StateGraph(State).add_node("agent", anode if asynchronous else node)
    return graph.add_edge(START, "agent").compile()


def around(commis: Any) -> Any:
    """Make a concierge whose one node is the given graph."""
    return StateGraph(State).add_node("commis", commis).add_edge(START, "commis").compile()


def run(graph: Any, handlers: list[Any], *, asynchronous: bool) -> None:
    """Run a graph once."""
    config = {"callbacks": handlers}
    if asynchronous:
        asyncio.run(graph.ainvoke({"task": "measure"}, config))
    else:
        graph.invoke({"task": "measure"}, config)


def _model(manager: CallbackManager, messages: list[Any]) -> None:
    [call] = manager.on_chat_model_start(
        MODEL, [messages], invocation_params=PARAMS, options={"stop": None}, name=None,
        run_id=None, batch_size=1,
    )  # fmt: skip
    call.on_llm_end(ANSWER)


def _tool(manager: CallbackManager, number: int) -> None:
    call = manager.on_tool_start(
        TOOL, ARGS_TEXT, color="green", name="ssh_exec", run_id=None, inputs=ARGS,
        tool_call_id=f"call_{number}",
    )  # fmt: skip
    call.on_tool_end(OUTPUT, color="green", name="ssh_exec")


def _calls(manager: CallbackManager, load: Load) -> None:
    messages = load.history
    for number in range(load.events // 2):
        _model(manager, messages)
        _tool(manager, number)


def _tools(manager: CallbackManager, load: Load) -> None:
    for number in range(load.events):
        _tool(manager, number)


def _chains(manager: CallbackManager, load: Load) -> None:
    for _ in range(load.events):
        manager.on_chain_start(None, {}, run_id=None, name="node").on_chain_end({})


def _chunks(manager: CallbackManager, load: Load) -> None:
    [call] = manager.on_chat_model_start(MODEL, [load.history], invocation_params=PARAMS)
    for _ in range(load.events):
        call.on_llm_new_token("word ", chunk=CHUNK)
    call.on_llm_end(ANSWER)


async def _amodel(manager: AsyncCallbackManager, messages: list[Any]) -> None:
    [call] = await manager.on_chat_model_start(
        MODEL, [messages], invocation_params=PARAMS, options={"stop": None}, name=None,
        run_id=None, batch_size=1,
    )  # fmt: skip
    await call.on_llm_end(ANSWER)


async def _atool(manager: AsyncCallbackManager, number: int) -> None:
    call = await manager.on_tool_start(
        TOOL, ARGS_TEXT, color="green", name="ssh_exec", run_id=None, inputs=ARGS,
        tool_call_id=f"call_{number}",
    )  # fmt: skip
    await call.on_tool_end(OUTPUT, color="green", name="ssh_exec")


async def _acalls(manager: AsyncCallbackManager, load: Load) -> None:
    messages = load.history
    for number in range(load.events // 2):
        await _amodel(manager, messages)
        await _atool(manager, number)


async def _atools(manager: AsyncCallbackManager, load: Load) -> None:
    for number in range(load.events):
        await _atool(manager, number)


async def _achains(manager: AsyncCallbackManager, load: Load) -> None:
    for _ in range(load.events):
        call = await manager.on_chain_start(None, {}, run_id=None, name="node")
        await call.on_chain_end({})


async def _achunks(manager: AsyncCallbackManager, load: Load) -> None:
    [call] = await manager.on_chat_model_start(MODEL, [load.history], invocation_params=PARAMS)
    for _ in range(load.events):
        await call.on_llm_new_token("word ", chunk=CHUNK)
    await call.on_llm_end(ANSWER)


async def _aworst(manager: AsyncCallbackManager, load: Load) -> None:
    """Time each event by itself and keep the slowest few."""
    messages = load.history
    collections = 0

    def count(phase: str, _: dict[str, int]) -> None:
        nonlocal collections
        collections += phase == "start"

    gc.callbacks.append(count)
    try:
        for number in range(load.events):
            seen = collections
            cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
            if number % 2:
                await _atool(manager, number)
            else:
                await _amodel(manager, messages)
            wall_us = (time.perf_counter_ns() - wall) / 1000
            cpu_us = (time.thread_time_ns() - cpu) / 1000
            if len(load.spikes) < 5 or wall_us > load.spikes[-1].wall_us:
                kind = "tool call" if number % 2 else "model call"
                spike = Spike(wall_us, cpu_us, f"{kind} {number:,}", collections > seen)
                load.spikes = sorted([*load.spikes, spike], key=lambda s: -s.wall_us)[:5]
    finally:
        gc.callbacks.remove(count)


_SYNC: dict[str, Callable[[Any, Load], None]] = {
    "calls": _calls,
    "tools": _tools,
    "chains": _chains,
    "chunks": _chunks,
}
_ASYNC: dict[str, Callable[[Any, Load], Any]] = {
    "calls": _acalls,
    "tools": _atools,
    "chains": _achains,
    "chunks": _achunks,
    "worst": _aworst,
}
