"""How a tool call went, from what the tool returned.

Tools report failures in several ways that LangChain delivers as a normal end: a ToolMessage with
status "error", or such a message inside a Command.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from langchain_core.messages import ToolMessage
from langgraph.types import Command

from zerg_visibility.records import json_line


class Outcome(NamedTuple):
    """How a tool call went.

    Args:
        success: False if the tool answered with an error.
        error: The text of that answer.
        tool_call_id: The id that the answer is for.
    """

    success: bool = True
    error: str | None = None
    tool_call_id: str | None = None


def read_outcome(output: Any) -> Outcome:
    """Say how a tool call went from what `on_tool_end` was given."""
    tool_call_id = None
    for message in _tool_messages(output):
        tool_call_id = tool_call_id or message.tool_call_id or None
        if message.status == "error":
            text = output_text(message)
            return Outcome(success=False, error=text, tool_call_id=message.tool_call_id or None)
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
    if isinstance(output, dict | list | tuple | bool | int | float):
        return json_line({"": output}).decode()[4:-2]
    return str(output)


def _tool_messages(output: Any) -> Iterator[ToolMessage]:
    if isinstance(output, ToolMessage):
        yield output
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tool_messages(item)
    elif isinstance(output, Command):
        update = output.update
        found = update.get("messages") if isinstance(update, dict) else update
        if isinstance(found, ToolMessage):
            yield found
        elif isinstance(found, list | tuple):
            # A list of (channel, value) pairs is the other form that an update may have.
            for item in found:
                if isinstance(item, tuple) and len(item) == 2 and item[0] == "messages":
                    yield from _tool_messages(item[1])
                elif isinstance(item, ToolMessage):
                    yield item


def _is_text_block(block: Any) -> bool:
    return isinstance(block, str) or (
        isinstance(block, dict) and block.get("type") == "text" and isinstance(block["text"], str)
    )
