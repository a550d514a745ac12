"""The concierge's graph, and those of its commis: a model that calls tools until it can answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from zerg_visibility.commis.tool import create_commis_tool
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo.team import make_team
from zerg_visibility.tools.toolkit import CONCIERGE_PROMPT, ConciergeToolkit

MODEL = "model"
TOOLS = "tools"

_CONCIERGE = """\
You are a concierge who has a folder inspected by commis and never looks at it yourself.
First start every commis that can help, all in one go. When they have ended, read the metrics of the
slowest job. Then answer in plain text: for each job its number, a line of its own with 'Execution
time: ' and the time, and what was found.

{advice}

Your commis:
{commis}"""

_COMMIS = """\
You are a commis. Do your task with your tools, then answer in a few sentences with the figures
that matter. A tool that fails is worth a sentence; do not try it again.

Your tools: {tools}"""


def build_concierge(
    model: BaseChatModel, folder: Path, store: CommisStore
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the graph that inspects a folder (absolute, without symbolic links) at a message."""
    team = make_team(folder, store.root.resolve())
    commis = []
    for one in team:
        prompt = _COMMIS.format(tools=", ".join(tool.name for tool in one.tools))
        graph = _agent(model, prompt, one.tools, one.name)
        commis.append(
            create_commis_tool(graph, name=one.name, description=one.purpose, store=store)
        )
    listed = "\n".join(f"- {one.name}: {one.purpose}" for one in team)
    prompt = _CONCIERGE.format(advice=CONCIERGE_PROMPT, commis=listed)
    tools = [*commis, *ConciergeToolkit(store=store).get_tools()]
    return _agent(model, prompt, tools, "concierge")


def _agent(
    model: BaseChatModel, prompt: str, tools: Sequence[BaseTool], name: str
) -> CompiledStateGraph[Any, Any, Any, Any]:
    bound = model.bind_tools(tools)

    def ask(state: MessagesState) -> dict[str, Any]:
        said = bound.invoke([SystemMessage(prompt), *state["messages"]])
        # A call that nobody can answer would make the conversation invalid for most providers.
        return {"messages": [said.model_copy(update={"invalid_tool_calls": []})]}

    def call(state: MessagesState) -> list[Send] | str:
        # One task for each, so that each is told of when it has ended.
        calls = getattr(state["messages"][-1], "tool_calls", ())
        return [Send(TOOLS, [{**call, "type": "tool_call"}]) for call in calls] or END

    builder = StateGraph(MessagesState)
    builder.add_node(MODEL, ask)
    builder.add_node(TOOLS, ToolNode(list(tools), handle_tool_errors=_tell))
    builder.add_edge(START, MODEL)
    builder.add_conditional_edges(MODEL, call, [TOOLS, END])
    builder.add_edge(TOOLS, MODEL)
    return builder.compile(name=name)


def _tell(error: OSError) -> str:
    """Put into words what went wrong with a file; anything else is a bug, and is raised."""
    return f"A call failed: {type(error).__name__}: {error}."
