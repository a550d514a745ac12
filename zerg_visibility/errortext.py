"""An error as one line that may be stored and logged: without the values that it rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerg_visibility.words import one_line

ERROR_MAX = 500
"""Characters of an error in a record or a log line."""


def error_text(
    error: BaseException, redact: Callable[[str], str] = str, *, limit: int = ERROR_MAX
) -> str:
    """Write an error as `TypeName: message`: one line, at most 500 characters unless told.

    What a validation error rejected is left out, since it may be a secret: only where, what and of
    which type is kept. So it is with LangGraph's error about a tool's arguments, which holds all of
    them.

    Args:
        error: What was raised.
        redact: Applied to the message before it is cut.
        limit: The most characters to give.
    """
    name = type(error).__name__
    try:
        message = _without_values(error)
        if message is None:
            message = str(error)
    except Exception:  # a foreign __str__ may raise anything
        message = ""
    # CancelledError and some timeouts carry only an object's address.
    if message.startswith("<object object at"):
        message = ""
    message = redact(message[:20_000])
    return one_line(f"{name}: {message}" if message.strip() else name, limit)


def _without_values(error: BaseException) -> str | None:
    """Describe an error that holds what was rejected without that; None for all others."""
    name = type(error).__name__
    if name == "ValidationError":
        return _validation_message(error)
    source = getattr(error, "source", None)
    # langgraph.prebuilt's, without importing it.
    if name != "ToolInvocationError" or not isinstance(source, BaseException):
        return None
    wrong = _validation_message(source) or "the arguments cannot be used"
    return f"{getattr(error, 'tool_name', 'tool')}: {wrong}"


def _validation_message(error: BaseException) -> str | None:
    """Describe a pydantic ValidationError (v2 or v1) without the values it rejected."""
    list_errors = getattr(error, "errors", None)
    if not callable(list_errors):
        return None
    try:
        found: list[Any] = list_errors(include_input=False, include_context=False)
    except TypeError:
        found = list_errors()
    parts = [
        f"{'.'.join(str(part) for part in item.get('loc', ())) or 'input'}: "
        f"{item.get('msg', 'invalid')} ({item.get('type', 'invalid')})"
        for item in found[:10]
    ]
    return "; ".join(parts) or "invalid input"
