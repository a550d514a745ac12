"""What a tool was called with, as one JSON text that is bounded and holds no secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zerg_visibility.jsonable import plain
from zerg_visibility.records.codec import json_line
from zerg_visibility.redaction import Redact

ARGS_MAX = 2_000
"""Characters of a call's arguments in started.jsonl."""

WHOLE_MAX = 100_000
"""Characters of arguments that are written as JSON as they are. Of what is larger, or has to be
redacted, so much is looked at: of one text, so many items of lists and objects, so deep."""

TEXT_MAX, ITEMS_MAX, DEPTH_MAX = 20_000, 5_000, 20


def args_text(inputs: Any, input_str: str, redact: Redact, *, wanted: bool) -> tuple[str, int]:
    """Give a tool call's arguments as JSON text if wanted, and how many bytes all of it would be.

    Args:
        inputs: The arguments by name, as `on_tool_start` gets them; None if the tool takes a text.
        input_str: That text, else the arguments as Python writes them: a measure of how large they
            are that costs nothing. Of huge ones its length is given for that of the JSON.
        redact: Applied to each text in the arguments, where a secret stands as it is, and to the
            whole, where it stands beside its name.
        wanted: Whether the text is needed, and not its size alone.
    """
    value = input_str if inputs is None else inputs
    is_small = len(input_str) <= WHOLE_MAX
    line = json_line(value)[:-1] if is_small else b""
    if not wanted:
        text = ""
    elif is_small and redact is str:
        text = line.decode()
    else:
        text = redact(json_line(_bounded(value, redact))[:-1].decode()[:TEXT_MAX])
    if len(text) > ARGS_MAX:
        text = text[: ARGS_MAX - 1] + "…"
    return text, len(line) or len(input_str)


def _bounded(
    value: Any, redact: Redact, depth: int = DEPTH_MAX, left: Iterator[int] | None = None
) -> Any:
    """Copy what is to be written, as far as it is looked at, with its texts redacted."""
    if isinstance(value, str):
        return redact(value[:TEXT_MAX])
    if value is None or isinstance(value, int | float):
        return value
    if depth == 0:
        return "..."
    left = left or iter(range(ITEMS_MAX))
    if isinstance(value, dict):
        return {
            redact(str(name)[:TEXT_MAX]): _bounded(item, redact, depth - 1, left)
            for (name, item), _ in zip(value.items(), left, strict=False)
        }
    if isinstance(value, list | tuple):
        return [
            _bounded(item, redact, depth - 1, left) for item, _ in zip(value, left, strict=False)
        ]
    # An object, whose texts are to be redacted as they stand, before JSON escapes them.
    return _bounded(plain(value), redact, depth - 1, left)
