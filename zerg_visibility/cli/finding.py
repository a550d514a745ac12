"""What one check of `doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Args:
        check: What was looked at.
        state: `failed` makes doctor fail; `warning` does not.
        summary: One sentence.
        details: What it was seen in, or what explains it.
        cure: A command or a line of code that mends it; None if there is nothing to mend.
    """

    check: str
    state: Literal["ok", "warning", "failed"]
    summary: str
    details: tuple[str, ...] = ()
    cure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of a finding."""
        return {
            "check": self.check,
            "state": self.state,
            "summary": self.summary,
            "details": list(self.details),
            "cure": self.cure,
        }
