"""The concierge's graph: plan, send commis in parallel, read their results, answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Send

from zerg_visibility.commis.node import create_commis_node
from zerg_visibility.commis.report import report_job
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo.script import START_TOOL
from zerg_visibility.demo.team import Specialist, make_team
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.tools.toolkit import CONCIERGE_PROMPT, ConciergeToolkit

PLAN = "plan"
READ = "read"
TOOLS = "tools"

_CONCIERGE = f"""\
You are a concierge who has a folder inspected by commis and never looks at it yourself.
First start every commis that can help, all in one go. When they have ended, read each result, and
the metrics of the slowest job. Then answer in plain text: for each job its number, a line of its
own with 'Execution time: ' and the time, and what was found.

{CONCIERGE_PROMPT}"""

_COMMIS = """\
You are a commis. Do your task with your tools, then answer in a few sentences with the figures
that matter. A tool that fails is worth a sentence; do not try it again."""


class CommisState(MessagesState):
    """What a commis works on: its messages, and the tool call of the concierge that sent it."""

    tool_call_id: str


def build_concierge(
    model: BaseChatModel, folder: Path, store: CommisStore
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the graph that inspects a folder; its input is a human message.

    Args:
        model: Steers the concierge and every commis.
        folder: The folder that commis look at, as an absolute path without symbolic links.
        store: Where the commis are stored, and read from.
    """
    team = make_team(folder, store.root.resolve())
    purposes = {specialist.name: specialist.purpose for specialist in team}
    planner = model.bind_tools([_start_tool(team)])
    toolkit = ConciergeToolkit(store=store).get_tools()
    reader = model.bind_tools(toolkit)
    system = SystemMessage(_CONCIERGE)

    def plan(state: MessagesState) -> dict[str, Any]:
        message = planner.invoke([system, *state["messages"]])
        # A call that nobody can answer would make the conversation invalid for most providers.
        sent = [
            call
            for call in message.tool_calls
            if call["name"] == START_TOOL and call["args"].get("name") in purposes
        ]
        kept = message.model_copy(update={"tool_calls": sent, "invalid_tool_calls": []})
        return {"messages": [kept]}

    def send(state: MessagesState) -> list[Send] | str:
        message = state["messages"][-1]
        sends = []
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            name = call["args"]["name"]
            # Some providers refuse a message without text.
            task = HumanMessage(str(call["args"].get("task") or purposes[name]))
            sends.append(Send(name, {"messages": [task], "tool_call_id": call["id"]}))
        return sends or END

    def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [reader.invoke([system, *state["messages"]])]}

    builder = StateGraph(MessagesState)
    builder.add_node(PLAN, plan)
    builder.add_node(READ, read)
    builder.add_node(TOOLS, ToolNode(toolkit))
    builder.add_edge(START, PLAN)
    builder.add_conditional_edges(PLAN, send, [*purposes, END])
    for specialist in team:
        commis = create_commis_node(_commis_graph(model, specialist), store=store, output=_told)
        builder.add_node(specialist.name, commis)
        builder.add_edge(specialist.name, READ)
    builder.add_conditional_edges(READ, tools_condition, [TOOLS, END])
    builder.add_edge(TOOLS, READ)
    return builder.compile(name="concierge")


def _commis_graph(
    model: BaseChatModel, specialist: Specialist
) -> CompiledStateGraph[Any, Any, Any, Any]:
    worker = model.bind_tools(specialist.tools)

    def think(state: CommisState) -> dict[str, Any]:
        return {"messages": [worker.invoke([SystemMessage(_COMMIS), *state["messages"]])]}

    builder = StateGraph(CommisState)
    builder.add_node("think", think)
    # What goes wrong with a file is for the commis to tell; anything else is a bug and is raised.
    builder.add_node(TOOLS, ToolNode(list(specialist.tools), handle_tool_errors=(OSError,)))
    builder.add_edge(START, "think")
    builder.add_conditional_edges("think", tools_condition, [TOOLS, END])
    builder.add_edge(TOOLS, "think")
    return builder.compile(name=specialist.name)


def _told(update: Any, job: CommisMetadata) -> dict[str, Any]:
    """Answer the concierge's tool call with the job, in place of all the commis's own messages."""
    said = report_job({}, job)["messages"][-1].text
    return {
        "messages": [
            ToolMessage(said, tool_call_id=update["tool_call_id"], name=START_TOOL, artifact=job)
        ]
    }


def _start_tool(team: Sequence[Specialist]) -> dict[str, Any]:
    purposes = "\n".join(f"- {specialist.name}: {specialist.purpose}" for specialist in team)
    names = [specialist.name for specialist in team]
    return {
        "type": "function",
        "function": {
            "name": START_TOOL,
            "description": f"Start a commis. Several run in parallel. There are:\n{purposes}",
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "enum": names},
                    "task": {"type": "string", "description": "What it is to do."},
                },
                "required": ["name", "task"],
            },
        },
    }
