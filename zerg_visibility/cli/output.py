"""What commands write: JSON for programs, plain text for pipes, colour for terminals.

Text that a model, a user or a remote machine may have written passes through `clean` before it is
printed, and is handed to rich as `Text`, which knows no markup.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from zerg_visibility.records.codec import json_line
from zerg_visibility.words import UNPRINTABLE, one_line

if TYPE_CHECKING:
    from rich.console import Console

# A status that a newer version wrote has none.
STATUS_STYLES = {
    "running": "cyan", "success": "green", "failed": "red", "interrupted": "yellow",
    "cancelled": "yellow", "timeout": "red", "lost": "magenta",
}  # fmt: skip

KIND_STYLES = {"llm": "cyan", "tool": "green", "commis": "magenta"}

NOTE_LEAST = 4
"""A note of which fewer columns fit says nothing."""

# orjson leaves most of these as they are; the line's own end stays.
_UNSAFE_IN_JSON = re.compile(f"(?!\n)[{UNPRINTABLE}]")


def write_json(value: Any) -> None:
    """Write one JSON document on one line; it holds no character that a terminal would obey."""
    line = json_line(value).decode()
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        line = json.dumps(json.loads(line)) + "\n"  # escaped, since a "?" would be a lie
    # As JSON escapes it: characters beyond the first 65,536 are pairs.
    sys.stdout.write(_UNSAFE_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], line))


def clean(value: object, limit: int = 500) -> str:
    """Put foreign text on one harmless line; what is not text, though it should be, is made so."""
    return one_line(value if isinstance(value, str) else str(value), limit)


def on_terminal() -> bool:
    """Say whether a person is looking at standard output."""
    return sys.stdout.isatty()


def make_console() -> Console:
    """Make the rich console of standard output, which obeys no markup and colours nothing itself.

    Imported here, so that a command that writes plain text or JSON does not pay for it.
    """
    from rich.console import Console

    class QuietConsole(Console):
        def on_broken_pipe(self) -> None:
            # rich itself would leave with exit code 1, but `show | head` is no failure.
            raise BrokenPipeError

    return QuietConsole(markup=False, highlight=False, emoji=False)


def folded(text: str, room: int | None) -> list[str]:
    """Break clean text into lines of so many columns; None leaves it whole, as for a pipe."""
    if room is None:
        return [text]
    from rich.text import Text

    lines = Text(text).wrap(make_console(), max(20, room))
    return [line.plain.rstrip() for line in lines] or [""]


def fitted(text: str, columns: int, *, fill: bool = True) -> str:
    """Cut clean text to a width on the terminal, and fill up with spaces what is shorter."""
    from rich.text import Text

    piece = Text(text)
    piece.truncate(columns, overflow="ellipsis", pad=fill)
    return piece.plain


def labelled(name: str, mark: str, note: str, columns: int) -> tuple[str, str]:
    """Fit the label of a call into columns, as the name and a rest filled up with spaces.

    The mark is kept whole, since it tells calls of one name apart; what has no room of the note is
    left out.
    """
    from rich.cells import cell_len

    mark = f" {mark}" if mark else ""
    name = fitted(name, max(4, columns - cell_len(mark)), fill=False)
    room = columns - cell_len(name + mark)
    note = f" {fitted(note, room - 1, fill=False)}" if note and room > NOTE_LEAST else ""
    return name, fitted(mark + note, columns - cell_len(name))


def age(us: int) -> str:
    """Write how long ago something was, in one unit: `12s`, `5m`, `3h`, `9d`."""
    seconds = max(0, us // 1_000_000)
    for limit, length, unit in ((60, 1, "s"), (3600, 60, "m"), (86_400, 3600, "h")):
        if seconds < limit:
            return f"{seconds // length}{unit}"
    return f"{seconds // 86_400}d"


def short_count(count: int) -> str:
    """Write a count in at most five characters: `1323`, `12.3k`, `4.5M`."""
    if count < 10_000:
        return str(count)
    thousands, units = count / 1000, "kMG"
    while thousands >= 999.5 and len(units) > 1:
        thousands, units = thousands / 1000, units[1:]
    return f"{thousands:.{0 if thousands >= 99.95 else 1}f}{units[0]}"
