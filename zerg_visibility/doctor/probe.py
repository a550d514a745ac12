"""A commis as small as can be, to see whether watching works in this installation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langsmith.run_helpers import tracing_context

from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis.node import create_commis_node
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import VisibilityError
from zerg_visibility.records.calls import ToolCallRecord
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.store.metadata import CommisMetadata

EXPECTED = [
    ("llm_call", "initial"),
    ("tool_call", "multiply"),
    ("llm_call", "synthesis"),
]
"""The records that the probe must leave, in their order."""


@tool
def multiply(first: int, second: int) -> int:
    """Multiply two numbers."""
    return first * second


def run_probe(root: Path) -> CommisMetadata:
    """Run a tiny commis, and see that it left what it should have.

    It runs in an event loop of its own, since more can be in the way there.

    Args:
        root: The root of the store that it is kept in.

    Returns:
        What is stored of it.

    Raises:
        VisibilityError: Its records are not what they must be; the message says how they differ.
    """
    store = CommisStore(root)
    handler = VisibilityCallbackHandler(store)
    seen: list[CommisMetadata] = []

    def note(update: Any, job: CommisMetadata) -> Any:
        seen.append(job)
        return update

    builder = StateGraph(MessagesState)
    builder.add_node("probe", create_commis_node(_tiny_graph(), store=store, output=note))
    builder.add_edge(START, "probe")
    question = HumanMessage("Calculate 7*6")
    with tracing_context(enabled=False):  # nothing of this goes to LangSmith
        asyncio.run(builder.compile().ainvoke({"messages": [question]}, {"callbacks": [handler]}))
    if not seen:
        raise VisibilityError("the probe ran, but was not noticed as a commis")
    if not store.folder(seen[-1].commis_id).is_dir():
        raise VisibilityError(f"the probe could not be stored: {store.root} cannot be written to")
    metadata = store.metadata(seen[-1].commis_id)
    left = [_brief(record) for record in store.records(metadata.commis_id).items]
    if left != EXPECTED or handler.stats.failures:
        raise VisibilityError(
            f"metrics.jsonl of the probe holds {left or 'nothing'}, and {EXPECTED} was expected; "
            f"{handler.stats.failures} failures of watching were logged"
        )
    return metadata


def _brief(record: Record) -> tuple[str, str | None]:
    if isinstance(record, CommisRunRecord):
        return record.event, record.status
    if not record.success:
        return record.event, f"failed: {record.error}"
    return record.event, record.tool if isinstance(record, ToolCallRecord) else record.phase


def _tiny_graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    model = FakeMessagesListChatModel(responses=_answers())

    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("think", think)
    builder.add_node("tools", ToolNode([multiply]))
    builder.add_edge(START, "think")
    builder.add_conditional_edges("think", tools_condition, ["tools", END])
    builder.add_edge("tools", "think")
    return builder.compile(name="probe")


def _answers() -> list[BaseMessage]:
    asked = ToolCall(name="multiply", args={"first": 7, "second": 6}, id="call_1")
    return [
        AIMessage("", tool_calls=[asked], usage_metadata=_usage(12, 8)),
        AIMessage("The result is 42.", usage_metadata=_usage(25, 6)),
    ]


def _usage(given: int, said: int) -> UsageMetadata:
    return UsageMetadata(input_tokens=given, output_tokens=said, total_tokens=given + said)
