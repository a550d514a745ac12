"""The pieces that scenario graphs are made of: a scripted model, a few tools, small graphs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import InjectedToolCallId, ToolException, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt
from pydantic import Field

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


class ScriptedModel(BaseChatModel):
    """Answers with what its script says, in turn; the last line again and again.

    A line is a text, an AIMessage, an exception to raise, or a callable that gives one of these.
    """

    script: list[Any]
    name_of_model: str | None = "scripted"
    usage: dict[str, Any] | None = USAGE
    calls: list[int] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params.pop("ls_model_name", None)
        if self.name_of_model is not None:
            params["ls_model_name"] = self.name_of_model
        return params

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[getattr(t, "name", str(t)) for t in tools], **kwargs)

    def _next(self) -> Any:
        line = self.script[min(len(self.calls), len(self.script) - 1)]
        self.calls.append(1)
        return line

    def _message(self, line: Any) -> AIMessage:
        if isinstance(line, BaseException):
            raise line
        message = line.model_copy() if isinstance(line, AIMessage) else AIMessage(str(line))
        if self.usage is not None:
            message.usage_metadata = dict(self.usage)
        if self.name_of_model is not None:
            message.response_metadata = {"model_name": f"{self.name_of_model}-2026"}
        return message

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        line = self._next()
        if isinstance(line, Gate):
            line.wait_sync()
            line = "late"
        if callable(line):
            line = line()
        return ChatResult(generations=[ChatGeneration(message=self._message(line))])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kw: Any) -> ChatResult:
        line = self._next()
        if isinstance(line, Gate):
            await line.wait()
        if callable(line):
            line = line()
        return ChatResult(generations=[ChatGeneration(message=self._message(line))])


class StreamingModel(ScriptedModel):
    """The same, word by word; its usage comes with the last chunk, as with include_usage."""

    def _chunks(self, line: Any) -> Iterator[ChatGenerationChunk]:
        message = self._message(line)
        words = str(message.content).split(" ")
        for word in words:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=message.usage_metadata,
                response_metadata=message.response_metadata,
                tool_call_chunks=[
                    {**call, "args": str(call["args"]).replace("'", '"'), "index": n}
                    for n, call in enumerate(message.tool_calls)
                ],
                chunk_position="last",
            )
        )

    def _stream(self, messages: Any, *args: Any, **kw: Any) -> Iterator[ChatGenerationChunk]:
        manager = kw.get("run_manager")
        for chunk in self._chunks(self._next()):
            if manager:
                manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self, messages: Any, *args: Any, **kw: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        line = self._next()
        manager = kw.get("run_manager")
        for chunk in self._chunks("hello there" if isinstance(line, Gate) else line):
            if manager:
                await manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
            if isinstance(line, Gate):
                await line.wait()


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
