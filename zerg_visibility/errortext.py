"""An error as one line that may be stored and logged: without the values that it rejected."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from zerg_visibility.words import one_line

ERROR_MAX = 500
"""Characters of an error in a record or a log line."""

CAUSES_MAX = 12
"""Errors of a chain that are looked at; a refused connection of OpenAI's client is the seventh."""


def error_text(
    error: BaseException, redact: Callable[[str], str] = str, *, limit: int = ERROR_MAX
) -> str:
    """Write an error as `TypeName: message`, then what caused it, on one line.

    What a validation error rejected is left out, since it may be a secret: only where, what and of
    which type is kept. So it is with LangGraph's error about a tool's arguments, which holds all of
    them. Of its causes only what the operating system said is told, or else the name of a type:
    their texts were never meant for others, and may hold headers.
    """
    name = type(error).__name__
    message = cause = ""
    with suppress(Exception):  # a foreign __str__ may raise anything
        message = _without_values(error) or str(error)
    # CancelledError and some timeouts carry only an object's address.
    if message.startswith("<object object at"):
        message = ""
    with suppress(Exception):  # as above
        cause = one_line(redact(_cause(error, message)), limit // 2)
    message = redact(message[:20_000])
    text = f"{name}: {message}" if message.strip() else f"{name}:" if cause else name
    return f"{one_line(text, limit - len(cause) - 1)} {cause}" if cause else one_line(text, limit)


def _cause(error: BaseException, message: str) -> str:
    """Say what made an error: `[Errno 111] Connection refused`, `(ReadTimeout)`, or nothing."""
    refused = named = ""
    explicit = True
    for _ in range(CAUSES_MAX):
        explicit = explicit and error.__cause__ is not None
        inner = _inner(error)
        if inner is None:
            break
        error = inner
        if isinstance(error, OSError) and error.errno is not None and error.strerror:
            # asyncio says of a refusal only that the call failed.
            is_refusal = isinstance(error, ConnectionError)
            said = os.strerror(error.errno) if is_refusal else error.strerror
            refused = f"[Errno {error.errno}] {said}"
        elif explicit and not named and str(error) != message:
            named = f"({type(error).__name__})"
    found = refused or named  # the innermost is nearest to what happened
    return "" if found in message else found


def _inner(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    # httpcore's pool raises everything `from None`, the system's refusal with it.
    hides = error.__suppress_context__ and not type(error).__module__.startswith("httpcore")
    return error.__cause__ or (None if hides else error.__context__)


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
