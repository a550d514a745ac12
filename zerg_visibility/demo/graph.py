"""The concierge's graph, and those of its commis: a model that calls tools until it can answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from zerg_visibility.commis.tool import create_commis_tool
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo import inspection
from zerg_visibility.demo.inspection import Listing, list_files
from zerg_visibility.tools.toolkit import CONCIERGE_PROMPT, ConciergeToolkit

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


# The purpose of each commis, as a task, and its tools in the order of their use.
_TEAM: dict[str, tuple[str, *tuple[Callable[[Listing], str], ...]]] = {
    "disk-use": (
        "Measure disk use by file type and name the largest files.",
        inspection.disk_use_by_type,
        inspection.largest_files,
    ),
    "duplicates": (
        "Find duplicate files by hash and say how much space they waste.",
        inspection.duplicate_files,
    ),
    "line-counts": ("Count lines of text by file type.", inspection.line_counts),
    "access": (
        "Look for unreadable files, then hash the first of them. If there are none, try to "
        "hash missing-on-purpose.txt, which is not there: a failed call is part of the demo.",
        inspection.unreadable_files,
        inspection.hash_file,
    ),
}


def build_concierge(
    model: BaseChatModel, folder: Path, store: CommisStore
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the graph that inspects a folder (absolute, without symbolic links) at a message."""
    skip = store.root.resolve()

    def tool_for(look: Callable[[Listing], str]) -> BaseTool:
        """Make a tool that looks at the folder, cannot leave it and skips the store inside."""

        def run() -> str:
            return look(list_files(folder, skip))

        return StructuredTool.from_function(run, name=look.__name__, description=look.__doc__)

    commis, listed = [], []
    for name, (purpose, *looks) in _TEAM.items():
        tools = [tool_for(look) for look in looks]
        prompt = _COMMIS.format(tools=", ".join(tool.name for tool in tools))
        graph = _agent(model, prompt, tools, name)
        commis.append(create_commis_tool(graph, name=name, description=purpose, store=store))
        listed.append(f"- {name}: {purpose}")
    prompt = _CONCIERGE.format(advice=CONCIERGE_PROMPT, commis="\n".join(listed))
    return _agent(model, prompt, [*commis, *ConciergeToolkit(store=store).get_tools()], "concierge")


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
        return [Send("tools", [{**call, "type": "tool_call"}]) for call in calls] or END

    builder = StateGraph(MessagesState).add_node("model", ask).add_edge(START, "model")
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=_tell)).add_edge("tools", "model")
    builder.add_conditional_edges("model", call, ["tools", END])
    return builder.compile(name=name)


def _tell(error: OSError) -> str:
    """Put into words what went wrong with a file; anything else is a bug, and is raised."""
    return f"A call failed: {type(error).__name__}: {error}."
