"""How a tool call went, from what the tool returned.

Tools report failures in several ways that LangChain delivers as a normal end: a ToolMessage with
status "error", or such a message inside a Command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple

from langchain_core.messages import ToolMessage
from langgraph.types import Command

from zerg_visibility.callbacks.starts import known_id
from zerg_visibility.records.codec import json_line

MESSAGES_MAX = 10_000
"""Items of an answer, or of an update, among which messages are looked for."""


class Outcome(NamedTuple):
    """How a tool call went: with an error, the text of its answer, and for which id that is."""

    success: bool = True
    error: str | None = None
    tool_call_id: str | None = None


def read_outcome(output: Any) -> Outcome:
    """Say how a tool call went from what `on_tool_end` was given."""
    tool_call_id = None
    for message in _tool_messages(output):
        own_id = known_id(message.tool_call_id)
        tool_call_id = tool_call_id or own_id
        if message.status == "error":
            return Outcome(success=False, error=output_text(message), tool_call_id=own_id)
    return Outcome(tool_call_id=tool_call_id)


def output_text(output: Any) -> str:
    """Give what a tool answered as text, whatever it is."""
    if isinstance(output, Command):
        messages = list(_tool_messages(output))
        if messages:
            return "\n".join(output_text(message) for message in messages)
        output = output.update
    if isinstance(output, ToolMessage):
        output = output.content
    if isinstance(output, str):
        return output
    if isinstance(output, bytes | bytearray):
        return bytes(output).decode("utf-8", "replace")
    if isinstance(output, list) and output and all(_is_text_block(block) for block in output):
        return "\n".join(block if isinstance(block, str) else block["text"] for block in output)
    if output is None:
        return ""
    # Whatever holds other values: its own text might never end.
    if isinstance(output, Mapping | list | tuple | Set | bool | int | float) or (
        hasattr(output, "__dataclass_fields__")
    ):
        return json_line({"": output}).decode()[4:-2]
    try:
        return str(output)
    except Exception:  # a foreign object's __str__ may raise
        return f"<{type(output).__name__}>"


def _tool_messages(output: Any) -> Iterator[ToolMessage]:
    """Yield the messages of an answer: one, a list of them or of commands, or a command's own."""
    if isinstance(output, ToolMessage):
        yield output
    elif isinstance(output, Command):
        yield from _own_messages(output)
    elif isinstance(output, list | tuple):
        # Lists inside of lists are no answer of LangGraph's; they may be huge, and hold themselves.
        for item in output[:MESSAGES_MAX]:
            yield from _own_messages(item)


def _own_messages(output: Any) -> Iterator[ToolMessage]:
    if isinstance(output, ToolMessage):
        yield output
    elif isinstance(output, Command):
        update = output.update
        found = update.get("messages") if isinstance(update, dict) else update
        if isinstance(found, ToolMessage):
            yield found
        elif isinstance(found, list | tuple):
            yield from _messages_of_update(found[:MESSAGES_MAX])


def _messages_of_update(found: list[Any] | tuple[Any, ...]) -> Iterator[ToolMessage]:
    for item in found:
        if isinstance(item, ToolMessage):
            yield item
        # A list of (channel, value) pairs is the other form that an update may have.
        elif isinstance(item, tuple) and len(item) == 2 and item[0] == "messages":
            value = item[1]
            if isinstance(value, ToolMessage):
                yield value
            elif isinstance(value, list | tuple):
                yield from (one for one in value[:MESSAGES_MAX] if isinstance(one, ToolMessage))


def _is_text_block(block: Any) -> bool:
    if isinstance(block, dict):
        return block.get("type") == "text" and isinstance(block.get("text"), str)
    return isinstance(block, str)
