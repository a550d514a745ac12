"""What `recent()` gives: an iterator that shows itself as a table, and is none the less for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from itertools import islice

from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import duration, one_line

ROWS_SHOWN = 10
"""The first rows, which are the newest commis."""

_HEADINGS = ("job", "status", "duration", "name", "task")


class RecentCommis(Iterator[CommisMetadata]):
    """Commis from the newest job to the oldest, read from disk as they are asked for.

    Args:
        start: Begins at the newest; called once for iterating, and anew for each look at the table.
    """

    def __init__(self, start: Callable[[], Iterator[CommisMetadata]]) -> None:
        self._start = start
        self._found = start()

    def __next__(self) -> CommisMetadata:
        return next(self._found)

    def __repr__(self) -> str:
        rows, more = self._rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *([more] if more else [])])

    def _repr_html_(self) -> str:
        rows, more = self._rows()
        tags = ["th", *["td"] * (len(rows) - 1)]
        lines = [
            f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"
            for tag, row in zip(tags, rows, strict=True)
        ]
        return f"<table>{''.join(lines)}</table>{escape(more)}"

    def _rows(self) -> tuple[list[tuple[str, ...]], str]:
        """Give headings and rows, and a sentence on what is not among them."""
        try:
            found = list(islice(self._start(), ROWS_SHOWN + 1))
        except OSError as error:  # who only looks should not get a traceback
            return [_HEADINGS], f"The store cannot be read ({error.strerror})."
        rows = [_HEADINGS, *[_row(one) for one in found[:ROWS_SHOWN]]]
        return rows, "and older ones" if len(found) > ROWS_SHOWN else "" if found else "No commis."


def _row(one: CommisMetadata) -> tuple[str, ...]:
    return (
        "" if one.job_id is None else str(one.job_id),
        one.status,
        "" if one.duration_ms is None else duration(one.duration_ms),
        one_line(one.name, 20),
        one_line(one.task, 50),
    )
