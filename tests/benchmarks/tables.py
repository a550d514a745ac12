"""Tables of results, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Table:
    """One table of results.

    Args:
        title: What was measured, with the unit.
        columns: Headings; the first column names the row.
        rows: Texts and numbers; None where there is no figure.
        note: How it was measured, and the target if there is one.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)
    note: str = ""

    def markdown(self) -> str:
        """Write the table as Markdown."""
        rule = ["---", *("---:" for _ in self.columns[1:])]
        lines = [self.columns, rule, *([cell(value) for value in row] for row in self.rows)]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        note = f"\n\n{self.note[:1].upper()}{self.note[1:]}" if self.note else ""
        return f"### {self.title}\n\n{body}{note}\n"

    def to_dict(self) -> dict[str, Any]:
        """Give the table as a JSON object."""
        return asdict(self)


def cell(value: Any) -> str:
    """Write one value with three significant digits or so."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
