"""Numbers and foreign text in words, for people and models to read on one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNPRINTABLE = (
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
"""The inside of a regular expression's brackets: everything that could start a new line, move a
cursor, turn or hide text. These are Unicode's control (Cc) and format (Cf) characters, its line
separators, lone surrogates (Cs) and the block of tags."""

_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")


def duration(ms: int) -> str:
    """Write milliseconds as `98ms`, `1.2s`, `2m 15s` or `1h 4m`."""
    if ms < 1000:
        return f"{max(0, ms)}ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f}s"
    seconds = round(ms / 1000)
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60}s"
    minutes = round(ms / 60_000)
    return f"{minutes // 60}h {minutes % 60}m"


def length(us: int) -> str:
    """Write how long something took: `<1ms`, which is not nothing, `98ms`, `1.2s`."""
    return "<1ms" if 0 < us < 1000 else duration(us // 1000)


def size(count: int) -> str:
    """Write a number of bytes as `812 bytes`, `3.4 kB` or `1.2 MB` (powers of 1000)."""
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    value, unit = count / 1000, "kB"
    for larger in ("MB", "GB"):
        if value >= 999.95:
            value, unit = value / 1000, larger
    return f"{value:.1f} {unit}"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: `1 call`, `2 calls`, `1,234 tokens`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def first_of(names: Sequence[str], most: int, total: int | None = None) -> str:
    """Write the first of several names, or of a total: `ls, cat and 3 more`."""
    more = (len(names) if total is None else total) - min(most, len(names))
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def money(usd: float) -> str:
    """Write US dollars with as many decimals as small sums need: `$0.0031`, `$1.25`."""
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def one_line(text: str, limit: int) -> str:
    """Put foreign text on one harmless line and cut it short.

    Args:
        text: Anything, of any length.
        limit: The most characters to give, an ellipsis included.
    """
    # Nearly every name is fine as it is, and this runs several times a call.
    if len(text) <= limit and text.isprintable() and "  " not in text and text == text.strip():
        return text
    # Cutting first keeps 50 MB of output from being cleaned for the sake of 500 characters.
    short = " ".join(_UNPRINTABLE.sub(" ", text[: 4 * limit + 100]).split())
    if len(short) > limit or len(text) > 4 * limit + 100:
        return short[: limit - 1].rstrip() + "…"
    return short


def is_storable(text: str) -> bool:
    """Say whether a text has a form in UTF-8, and so reads as what was written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
