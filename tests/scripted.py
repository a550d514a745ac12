"""Graphs for tests: a concierge that starts commis and reads about them, steered by scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from zerg_visibility import (
    CommisStore,
    ConciergeToolkit,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.testing import FakeClock, ScriptedChatModel

PROMPT_TOKENS = 1234
COMPLETION_TOKENS = 89
USAGE = {
    "input_tokens": PROMPT_TOKENS,
    "output_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}


def says(content: Any, **more: Any) -> AIMessage:
    """An answer in words."""
    return AIMessage(content, **{"usage_metadata": USAGE, **more})


def asks(name: str, call_id: str | None = None, /, **args: Any) -> AIMessage:
    """An answer that asks for one tool."""
    call = {"name": name, "args": args, "id": call_id or f"call_{name}"}
    return AIMessage("", tool_calls=[call], usage_metadata=USAGE)


def asks_all(*calls: AIMessage) -> AIMessage:
    """One answer that asks for the tools of several at once."""
    return AIMessage(
        "",
        tool_calls=[call for answer in calls for call in answer.tool_calls],
        usage_metadata=USAGE,
    )


def after(clock: FakeClock, ms: float, answer: AIMessage | Exception) -> Callable[[Any], Any]:
    """An answer that takes its time."""

    def answers(_: list[BaseMessage]) -> AIMessage | Exception:
        clock.advance(ms)
        return answer

    return answers


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


@tool
def explode(reason: str) -> str:
    """Fail, always."""
    raise ValueError(reason)


def scripted(*script: Any, **options: Any) -> ScriptedChatModel:
    return ScriptedChatModel(script=script, **options)


def commis_agent(*script: Any, tools: Sequence[Any] = (multiply,), **options: Any) -> Any:
    """A commis as users build them: a model that calls tools until it has the answer."""
    return create_agent(scripted(*script, **options), list(tools))


def calculator(**options: Any) -> Any:
    """A commis that multiplies; any number of times, since it looks only at its last message."""

    def decide(messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            return says(f"The result is {last.text}.")
        return asks("multiply", a=7, b=6)

    return create_agent(scripted(decide, repeat=True, **options), [multiply])


def plain_commis(step: Any, **compiled: Any) -> Any:
    """A graph of one function, or of one commis, and no model."""
    return (
        StateGraph(MessagesState).add_node("work", step).add_edge(START, "work").compile(**compiled)
    )


def concierge(
    *script: Any, store: CommisStore, commis: Any, name: str = "research", **toolkit: Any
) -> Any:
    """A concierge with one kind of commis and all tools to read about it."""
    start = create_commis_tool(commis, name=name, description="Give it a task.", store=store)
    tools = [start, *ConciergeToolkit(store=store, **toolkit).get_tools()]
    return create_agent(scripted(*script), tools)


def run(graph: Any, task: str = "Please help.", *handlers: Any, **config: Any) -> dict[str, Any]:
    """Run a graph on one human message."""
    return graph.invoke({"messages": [("user", task)]}, {"callbacks": list(handlers), **config})


def answers_of(state: dict[str, Any], tool_name: str) -> list[ToolMessage]:
    """What a tool answered to the concierge's model."""
    return [m for m in state["messages"] if isinstance(m, ToolMessage) and m.name == tool_name]


def json_lines(path: Path) -> list[dict[str, Any]]:
    """A JSONL file; every line has to be whole and valid."""
    text = path.read_text(encoding="utf-8")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def without_message_ids(state: Any) -> Any:
    """A state to compare with that of another run, whose messages have other random ids."""
    if isinstance(state, BaseMessage):
        return state.model_copy(update={"id": None})
    if isinstance(state, dict):
        return {name: without_message_ids(value) for name, value in state.items()}
    if isinstance(state, list):
        return [without_message_ids(value) for value in state]
    return state


def consult(store: CommisStore, handler: VisibilityCallbackHandler, *calls: Any) -> list[Any]:
    """Let a concierge use its tools, one after the other; give what they answered."""
    graph = concierge(*calls, says("Thank you."), store=store, commis=calculator())
    state = run(graph, "Please find out.", handler)
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def watched_like_unwatched(
    make_graph: Callable[[], Any], inputs: Any, handler: VisibilityCallbackHandler
) -> dict[str, Any]:
    """Run a graph as a node with and without watching; both states have to be the same."""

    def outer(node: Any) -> Any:
        return StateGraph(MessagesState).add_node("commis", node).add_edge(START, "commis")

    expected = outer(make_graph()).compile().invoke(inputs)
    node = create_commis_node(make_graph(), store=handler.store)
    state = outer(node).compile().invoke(inputs, {"callbacks": [handler]})
    assert without_message_ids(state) == without_message_ids(expected)
    assert handler.open_runs == 0
    return state
