"""Small tables of text, for whoever looks at a value in an interpreter or a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import islice
from typing import Generic, TypeVar

ROWS_SHOWN = 10
"""The first rows, which are the newest."""

ItemT = TypeVar("ItemT")


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows as an HTML table; without headings, the first cell of each row is one."""
    html = "<table>"
    for number, row in enumerate([headings, *rows] if headings else rows):
        html += "<tr>"
        for column, cell in enumerate(row):
            tag = "th" if (number if headings else column) == 0 else "td"
            html += f"<{tag}>{escape(cell)}</{tag}>"
        html += "</tr>"
    return f"{html}</table>"


class Recent(Iterator[ItemT], Generic[ItemT]):
    """What was begun last, newest first, read as it is asked for; it shows itself as a table.

    Args:
        start: Begins at the newest; called once for iterating, and anew for each look at the table.
        headings: The table's.
        row: Gives an item's cells.
        noun: What the items are.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[ItemT]],
        headings: tuple[str, ...],
        row: Callable[[ItemT], tuple[str, ...]],
        noun: str,
    ) -> None:
        self._start = start
        self._headings = headings
        self._row = row
        self._noun = noun
        self._found = start()

    def __next__(self) -> ItemT:
        return next(self._found)

    def __repr__(self) -> str:
        rows, more = self._rows()
        rows = [self._headings, *rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *([more] if more else [])])

    def _repr_html_(self) -> str:
        rows, more = self._rows()
        return html_table(self._headings, rows) + escape(more)

    def _rows(self) -> tuple[list[tuple[str, ...]], str]:
        """Give the rows, and a sentence on what is not among them."""
        try:
            found = list(islice(self._start(), ROWS_SHOWN + 1))
        except OSError as error:  # who only looks should not get a traceback
            return [], f"The store cannot be read ({error.strerror})."
        rows = [self._row(one) for one in found[:ROWS_SHOWN]]
        more = "and older ones" if len(found) > ROWS_SHOWN else ""
        return rows, more if found else f"No {self._noun}."
