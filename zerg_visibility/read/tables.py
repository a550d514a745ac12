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

    `start` is called once for iterating, and anew for each look at the table.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[ItemT]],
        row: Callable[[ItemT], dict[str, str]],
        noun: str,
    ) -> None:
        self._start = start
        self._row = row
        self._noun = noun
        self._found = start()

    def __next__(self) -> ItemT:
        return next(self._found)

    def __repr__(self) -> str:
        headings, rows, more = self._table()
        columns = zip(headings, *rows, strict=True)
        filled = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
        lines = ["  ".join(row).rstrip() for row in zip(*filled, strict=True)]
        return "\n".join([*lines, *([more] if more else [])])

    def _repr_html_(self) -> str:
        headings, rows, more = self._table()
        return html_table(headings, rows) + escape(more)

    def _table(self) -> tuple[list[str], list[list[str]], str]:
        """Give headings, rows, and a sentence on what is not among them."""
        try:
            found = list(islice(self._start(), ROWS_SHOWN + 1))
        except OSError as error:  # who only looks should not get a traceback
            return [], [], f"The store cannot be read ({error.strerror})."
        rows = [self._row(one) for one in found[:ROWS_SHOWN]]
        more = "and older ones" if len(found) > ROWS_SHOWN else ""
        if not rows:
            return [], [], f"No {self._noun}."
        return list(rows[0]), [list(row.values()) for row in rows], more
