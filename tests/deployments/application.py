"""What `langgraph dev` serves in these tests: graphs as users write them, watched in one way.

A test copies this file beside a langgraph.json and starts the server there, so every path in it is
relative. SETUP says how the graphs are watched: by a "handler" that they are bound to, by the
commis nodes "alone", or by the "environment", with ZERG_VISIBILITY=1.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import asdict
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from zerg_visibility import (
    CommisStore,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.testing import ScriptedChatModel

store = CommisStore("zerg-data")
configure_logging()


def watched(builder: StateGraph) -> Any:
    graph = builder.compile()
    if os.environ["SETUP"] == "handler":
        return graph.with_config(callbacks=[VisibilityCallbackHandler(store)])
    return graph


def asks_for(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call_{name}"}])


def calls_once(name: str, **args: Any) -> ScriptedChatModel:
    """A model that asks for one tool, and says what the tool answered."""

    def decide(messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            return AIMessage(last.text)
        return asks_for(name, **(args or {"task": last.text}))

    return ScriptedChatModel(script=[decide], repeat=True)


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    time.sleep(0.001)  # a sync tool has a thread, in which it may block
    return a * b


@tool
async def multiply_later(a: int, b: int) -> int:
    """Multiply two numbers, and let others work meanwhile."""
    await asyncio.sleep(0.001)
    return a * b


def sync_worker() -> Any:
    """A worker of sync nodes, which the server runs in threads."""
    model = calls_once("multiply", a=7, b=6)

    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("think", think)
    builder.add_node("tools", ToolNode([multiply]))
    builder.add_edge(START, "think")
    builder.add_conditional_edges("think", tools_condition, ["tools", END])
    builder.add_edge("tools", "think")
    return builder.compile()


def async_worker() -> Any:
    """A worker that is async throughout, in the server's event loop."""
    return create_agent(calls_once("multiply_later", a=7, b=6), [multiply_later])


def of_one_node(step: Any) -> StateGraph:
    return StateGraph(MessagesState).add_node("step", step).add_edge(START, "step")


def team_of(commis_store: CommisStore) -> StateGraph:
    """Two commis as nodes and one as a tool, each given the same task."""
    research = create_commis_tool(
        async_worker(), name="research", description="Give it a task.", store=commis_store
    )
    concierge = create_agent(calls_once("research"), [research])
    builder = StateGraph(MessagesState)
    builder.add_node("sync", create_commis_node(sync_worker(), store=commis_store))
    builder.add_node("async", create_commis_node(async_worker(), store=commis_store))

    async def ask_the_concierge(state: MessagesState, config: RunnableConfig) -> Any:
        task = next(m for m in reversed(state["messages"]) if isinstance(m, HumanMessage))
        return {"messages": (await concierge.ainvoke({"messages": [task]}, config))["messages"]}

    builder.add_node("concierge", ask_the_concierge)
    builder.add_edge(START, "sync")
    builder.add_edge("sync", "async")
    builder.add_edge("async", "concierge")
    return builder


async def ask_a_human(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(interrupt("Shall I?"))]}


async def never(messages: list[BaseMessage]) -> AIMessage:
    get_stream_writer()("at work")
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


async def wait_for_ever(state: MessagesState) -> dict[str, Any]:
    model = ScriptedChatModel(script=[never], repeat=True)
    return {"messages": [await model.ainvoke(state["messages"])]}


async def block(state: MessagesState) -> dict[str, Any]:
    time.sleep(0.001)
    return {}


async def make_graph(config: RunnableConfig) -> Any:
    """A graph made anew for every run, in the event loop, with a store whose root is relative."""
    return watched(team_of(CommisStore("made-data")))


team = watched(team_of(store))
asking = watched(of_one_node(create_commis_node(of_one_node(ask_a_human).compile(), store=store)))
waiting = watched(
    of_one_node(create_commis_node(of_one_node(wait_for_ever).compile(), store=store))
)
blocking = of_one_node(block).compile()


async def stats(_: Any) -> JSONResponse:
    """What every handler of this process has done, those of commis nodes included."""
    handlers = [one for one in gc.get_objects() if type(one) is VisibilityCallbackHandler]
    return JSONResponse([asdict(handler.stats) for handler in handlers])


app = Starlette(routes=[Route("/stats", stats)])
