"""An agent of any length, without a network: the load of the whole-graph view."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

LISTING = "/dev/sda1  50G  21G  27G  44% /\n" * 6
"""What the tool answers: about 200 characters."""


class State(TypedDict):
    """A conversation."""

    messages: Annotated[list[BaseMessage], add_messages]


class ChatScripted(BaseChatModel):
    """Asks for a tool so many times, and then answers.

    Args:
        steps: How many times.
        pause_s: How long a call takes.
    """

    steps: int
    pause_s: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "scripted-1", "model_name": "scripted-1"}

    def _answer(self, messages: list[BaseMessage]) -> ChatResult:
        done = (len(messages) - 1) // 2
        usage = {"input_tokens": 1234, "output_tokens": 89, "total_tokens": 1323}
        calls = [{"name": "ssh_exec", "args": {"command": "df -h"}, "id": f"call_{done}"}]
        message = AIMessage(
            "The disk is fine." if done >= self.steps else "",
            tool_calls=[] if done >= self.steps else calls,
            usage_metadata=usage,
            response_metadata={"model_name": "scripted-1"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if self.pause_s:
            time.sleep(self.pause_s)
        return self._answer(messages)

    async def _agenerate(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        if self.pause_s:
            await asyncio.sleep(self.pause_s)
        return self._answer(messages)


@tool
async def ssh_exec_async(command: str) -> str:
    """Run a command on a host."""
    return LISTING


@tool
def ssh_exec(command: str) -> str:
    """Run a command on a host."""
    return LISTING


ssh_exec_async.name = "ssh_exec"


def build_commis(
    steps: int, *, pause_s: float = 0.0, asynchronous: bool = False, truth: int | None = None
) -> Any:
    """Make the agent.

    Args:
        steps: Model calls with a tool call each; one more model call ends it.
        pause_s: How long a model call takes.
        asynchronous: Whether its nodes are coroutines.
        truth: An open file that gets a line when a call has returned to its node.
    """
    model = ChatScripted(steps=steps, pause_s=pause_s)

    def returned() -> None:
        if truth is not None:
            os.write(truth, b"returned\n")

    def agent(state: State) -> dict[str, Any]:
        answer = model.invoke(state["messages"])
        returned()
        return {"messages": [answer]}

    def tools(state: State) -> dict[str, Any]:
        answers: list[ToolMessage] = []
        for call in state["messages"][-1].tool_calls:  # type: ignore[attr-defined]
            answers.append(ssh_exec.invoke(call))
            returned()
        return {"messages": answers}

    async def aagent(state: State) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def atools(state: State) -> dict[str, Any]:
        calls = state["messages"][-1].tool_calls  # type: ignore[attr-defined]
        return {"messages": [await ssh_exec_async.ainvoke(call) for call in calls]}

    def way_on(state: State) -> str:
        return "tools" if state["messages"][-1].tool_calls else END  # type: ignore[attr-defined]

    graph = StateGraph(State)
    graph.add_node("agent", aagent if asynchronous else agent)
    graph.add_node("tools", atools if asynchronous else tools)
    graph.add_edge(START, "agent").add_edge("tools", "agent")
    graph.add_conditional_edges("agent", way_on, ["tools", END])
    return graph.compile()


def build_concierge(commis: Any) -> Any:
    """Make a concierge whose one node is the given graph."""
    return StateGraph(State).add_node("commis", commis).add_edge(START, "commis").compile()


def run(graph: Any, steps: int, handlers: list[Any], *, asynchronous: bool = False) -> int:
    """Run a concierge once and give the number of finished model and tool calls."""
    config = {"callbacks": handlers, "recursion_limit": 2 * steps + 10}
    task = {"messages": [("user", "Check the disks of all hosts.")]}
    call: Callable[..., Any] = graph.ainvoke if asynchronous else graph.invoke
    answer = call(task, config)
    if asynchronous:
        answer = asyncio.run(answer)
    events = len(answer["messages"]) - 1
    if events != 2 * steps + 1:
        raise RuntimeError(f"the agent made {events} calls, not {2 * steps + 1}")
    return events
