"""A table on a terminal that gives up its lesser columns before it cuts the ones that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

TASK_LEAST = 18
"""A task of fewer columns says nothing, so another column is left out for it."""

LEFT_OUT_FIRST = ("tool", "llm", "tokens", "fail", "age", "name", "commis")
"""What is left out on a narrow terminal, the least important first."""

RUNS_LEFT_OUT_FIRST = ("age", "thread", "tool", "llm", "name", "tokens", "fail", "commis")
"""The same of runs of concierges, whose ids tell their age."""

_NUMERIC = frozenset({"job", "time", "llm", "tool", "fail", "tokens", "commis", "age"})

_ELASTIC = ("task", "thread")
"""What takes the room that is left over."""


def table_of(rows: Sequence[Mapping[str, Text]], width: int) -> Table:
    """Lay out cells by their headings, of which all rows have the same, one of them elastic."""
    wide = width >= 100
    gap, name_most = (2, 24) if wide else (1, 12)
    widths = {
        heading: max(cell_len(heading), *(row[heading].cell_len for row in rows))
        for heading in rows[0]
    }
    widths["name"] = min(widths["name"], name_most)
    headings = _that_fit(widths, width, gap)
    table = Table(
        box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim",
        expand=any(name in headings for name in _ELASTIC),
    )  # fmt: skip
    for heading in headings:
        is_elastic = heading in _ELASTIC
        table.add_column(
            heading,
            justify="right" if heading in _NUMERIC else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if is_elastic else None,
            width=None if is_elastic else widths[heading],
        )
    for row in rows:
        table.add_row(*(row[heading] for heading in headings))
    return table


def _that_fit(widths: Mapping[str, int], width: int, gap: int) -> list[str]:
    headings = list(widths)
    needed = {**widths, **{name: min(widths.get(name, 0), TASK_LEAST) for name in _ELASTIC}}
    for lesser in RUNS_LEFT_OUT_FIRST if "concierge" in widths else LEFT_OUT_FIRST:
        if sum(needed[heading] + gap for heading in headings) - gap <= width:
            break
        if lesser in headings:
            headings.remove(lesser)
    return headings
