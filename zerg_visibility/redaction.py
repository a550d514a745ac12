"""Texts made safe to store, by whatever function the user gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from zerg_visibility.diagnostics import Diagnostics

Redact: TypeAlias = Callable[[str], str]
"""Takes a text, gives the text that may be stored or logged."""

UNREDACTABLE = "[not stored: redaction failed]"


def safely(redact: Redact | None, diagnostics: Diagnostics) -> Redact:
    """Give a function that redacts and never raises; on failure it withholds the text."""
    if redact is None:
        return str

    def redacted(text: str) -> str:
        try:
            changed = redact(text)
        except Exception as error:
            diagnostics.note("redact a text", error, withheld=True)
            return UNREDACTABLE
        # A user's function may return anything, whatever its annotation says.
        return str(changed)

    return redacted
