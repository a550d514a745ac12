"""A commis as small as can be, to see whether watching works in this installation."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langsmith.run_helpers import tracing_context

from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis.node import create_commis_node
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import VisibilityError
from zerg_visibility.store.layout import METRICS
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.testing import ScriptedChatModel

# The phase or tool of each record that the probe must leave, and whether it succeeded.
_EXPECTED = [("initial", True), ("multiply", True), ("synthesis", True)]


def run_probe(root: Path) -> CommisMetadata:
    """Run a tiny commis in an event loop of its own, and see that it left what it should have.

    Raises:
        VisibilityError: Its records are not what they must be; the message says how they differ.
    """
    store = CommisStore(root)
    handler = VisibilityCallbackHandler(store)
    probe = create_commis_node(_tiny_graph(), store=store)
    job_before = store.newest_job()
    with tracing_context(enabled=False):  # nothing of this goes to LangSmith
        inputs = {"messages": [HumanMessage("Calculate 7*6")]}
        asyncio.run(probe.ainvoke(inputs, {"callbacks": [handler]}))
    if store.newest_job() == job_before:
        raise VisibilityError(f"the probe could not be stored: {root} cannot be written to")
    metadata = store.metadata(store.find(job_before + 1))
    lines = (store.folder(metadata.commis_id) / METRICS).read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    left = [(record.get("tool", record.get("phase")), record["success"]) for record in records]
    if left != _EXPECTED or metadata.status != "success" or handler.stats.failures:
        raise VisibilityError(
            f"the probe ended as {metadata.status} with {left or 'nothing'} in {METRICS}, and "
            f"{_EXPECTED} was expected; {handler.stats.failures} failures of watching were logged"
        )
    return metadata


def _tiny_graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    asked = {"name": "multiply", "args": {"first": 7, "second": 6}, "id": "call_1"}
    script = [AIMessage("", tool_calls=[asked]), "The result is 42."]
    model = ScriptedChatModel(script=script)

    @tool
    def multiply(first: int, second: int) -> int:
        """Multiply two numbers."""
        return first * second

    async def work(state: MessagesState) -> dict[str, Any]:
        question = state["messages"]
        said = await model.ainvoke(question)
        told = await multiply.ainvoke(said.tool_calls[0])
        return {"messages": [await model.ainvoke([*question, said, told])]}

    builder = StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")
    return builder.compile(name="probe")
