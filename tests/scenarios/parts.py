"""The pieces that scenario graphs are made of: a scripted model, a few tools, small graphs."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import InjectedToolCallId, ToolException, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from zerg_visibility.testing import ScriptedChatModel

USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


class Gate:
    """Something that never answers by itself: what waits on it is there until it is cancelled."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    async def wait(self) -> None:
        self.entered.set()
        await asyncio.get_running_loop().create_future()

    def wait_sync(self) -> None:
        self.entered.set()
        assert self.released.wait(30)


class ScriptedModel(ScriptedChatModel):
    """Answers with what its script says, in turn; the last line again and again.

    A line is a text, an AIMessage, an exception to raise, a Gate to wait at, or a function without
    arguments, or an async one, that gives one of these.
    """

    def __init__(
        self,
        *,
        script: Sequence[Any],
        name_of_model: str | None = "scripted",
        usage: dict[str, Any] | None = USAGE,
        **options: Any,
    ) -> None:
        def answer(line: Any) -> Any:
            if callable(line):
                line = line()
            if isinstance(line, Gate):
                return wait_at(line)
            if inspect.isawaitable(line) or isinstance(line, BaseException):
                return line
            message = line if isinstance(line, AIMessage) else AIMessage(str(line))
            served = {} if name_of_model is None else {"model_name": f"{name_of_model}-2026"}
            known = {"response_metadata": served}
            return message.model_copy(update=known if usage is None else {**known, **counted})

        counted = {"usage_metadata": usage}
        lines = itertools.chain(script, itertools.repeat(script[-1]))
        super().__init__(
            **{
                "script": [lambda _: answer(next(lines))],
                "repeat": True,
                "model_name": name_of_model,
                "disable_streaming": True,
                **options,
            }
        )


class StreamingModel(ScriptedModel):
    """The same, word by word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"disable_streaming": False, **options})


def wait_at(gate: Gate) -> Any:
    """Wait for good under `ainvoke`, else until the gate is opened."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        gate.wait_sync()
        return "late"
    return gate.wait()


def asks(*calls: tuple[str, dict[str, Any], str] | str) -> AIMessage:
    """An answer that asks for tools: names, or triples of name, arguments and id."""
    wanted = []
    for number, call in enumerate(calls, 1):
        name, args, call_id = (call, {}, f"{call}-{number}") if isinstance(call, str) else call
        wanted.append({"name": name, "args": args, "id": call_id, "type": "tool_call"})
    return AIMessage("", tool_calls=wanted)


@tool
def ping() -> str:
    """Answer."""
    return "pong"


@tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@tool
def broken() -> str:
    """Raise."""
    raise RuntimeError("the disk is on fire")


@tool
def unhappy() -> str:
    """Raise what the tool handles itself."""
    raise ToolException("no such host")


unhappy.handle_tool_error = True


@tool
def says_error(tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
    """Answer with an error message."""
    return ToolMessage("not allowed", tool_call_id=tool_call_id, status="error")


@tool
def commands_error(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
    """Answer with a command that holds an error message."""
    message = ToolMessage("went wrong", tool_call_id=tool_call_id, status="error")
    return Command(update={"messages": [message]})


@tool
def says_not_ok() -> dict[str, Any]:
    """Answer with something that only looks like a failure."""
    return {"ok": False}


@tool
def ask_human() -> str:
    """Ask a human."""
    return f"human says {interrupt('may I?')}"


class Text(TypedDict):
    text: str


def agent(
    model: BaseChatModel,
    *tools: Any,
    handle: Any = True,
    name: str | None = None,
    checkpointer: Any = None,
    retry: Any = None,
    tool_node: Any = None,
    timeout: float | None = None,
    **compile_options: Any,
) -> Any:
    """A model and its tools in a loop, as everybody builds it."""
    bound = model.bind_tools(list(tools)) if tools else model

    def think(state: MessagesState) -> Any:
        return {"messages": [bound.invoke(state["messages"])]}

    async def athink(state: MessagesState) -> Any:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    options: dict[str, Any] = {}
    if timeout is not None:
        options["timeout"] = timeout
    node = athink if timeout is not None else RunnableLambda(think, athink)
    builder = StateGraph(MessagesState).add_node("think", node, retry_policy=retry, **options)
    builder.add_edge(START, "think")
    if tools:
        builder.add_node("tools", tool_node or ToolNode(list(tools), handle_tool_errors=handle))
        builder.add_conditional_edges("think", tools_condition)
        builder.add_edge("tools", "think")
    return builder.compile(checkpointer=checkpointer, name=name, **compile_options)


def outer(node: Any, *, checkpointer: Any = None, name: str = "research", **options: Any) -> Any:
    """A concierge that is nothing but one commis node."""
    builder = StateGraph(MessagesState).add_node(name, node, **options)
    return builder.add_edge(START, name).compile(checkpointer=checkpointer)


def text_graph(function: Callable[[Text], Any], name: str = "work", **options: Any) -> Any:
    builder = StateGraph(Text).add_node(name, function, **options)
    return builder.add_edge(START, name).compile()
