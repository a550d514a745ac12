"""What a tool was called with, as one JSON text that is bounded and holds no secrets."""

from __future__ import annotations

from itertools import islice
from typing import Any

from zerg_visibility.records.codec import json_line
from zerg_visibility.redaction import Redact

ARGS_MAX = 2_000
"""Characters of a call's arguments in started.jsonl."""

WHOLE_MAX = 100_000
"""Characters of arguments that are written as JSON as they are; what is larger is cut before."""

TEXT_MAX = 20_000
"""Characters of one text that are looked at where it is large, or has to be redacted."""

ITEMS_MAX = 1_000
"""Items of one list or object that are looked at then."""

DEPTH_MAX = 20
"""How deep they may lie inside of each other then."""


def args_text(inputs: Any, input_str: str, redact: Redact, *, wanted: bool) -> tuple[str, int]:
    """Give a tool call's arguments as JSON text, and how many bytes all of it would be.

    Args:
        inputs: The arguments by name, as `on_tool_start` gets them; None if the tool takes a text.
        input_str: That text, else the arguments as Python writes them: a measure of how large they
            are that costs nothing. Of huge ones its length is given for that of the JSON.
        redact: Applied to each text in the arguments, where a secret stands as it is, and to the
            whole, where it stands beside its name.
        wanted: Whether the text is needed, and not its size alone.
    """
    value = input_str if inputs is None else inputs
    if len(input_str) <= WHOLE_MAX:
        line = json_line(value)
        size = len(line) - 1
        if not wanted:
            return "", size
        if redact is str:
            return _cut(line[: 4 * ARGS_MAX + 8].decode("utf-8", "ignore").rstrip("\n")), size
    else:
        size = len(input_str)
        if not wanted:
            return "", size
    text = json_line(_bounded(value, redact, DEPTH_MAX))[:-1].decode()
    return _cut(redact(text[:TEXT_MAX])), size


def _cut(text: str) -> str:
    return text if len(text) <= ARGS_MAX else text[: ARGS_MAX - 1] + "…"


def _bounded(value: Any, redact: Redact, depth: int) -> Any:
    """Copy what is to be written, as far as it is looked at, with its texts redacted."""
    if isinstance(value, str):
        return redact(value[:TEXT_MAX])
    if depth == 0:
        return "..."
    if isinstance(value, dict):
        items = islice(value.items(), ITEMS_MAX)
        return {str(name)[:TEXT_MAX]: _bounded(item, redact, depth - 1) for name, item in items}
    if isinstance(value, list | tuple):
        return [_bounded(item, redact, depth - 1) for item in islice(value, ITEMS_MAX)]
    return value
