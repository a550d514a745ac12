"""What one check found."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "warning", "failed"]

OTHER_USER = "What runs as another user may be able to, but then run doctor as that one."
"""Said of what this user may not do."""

SETUP = "from zerg_visibility import configure_logging; configure_logging()"
"""The line of code that turns Tier 3 on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in one sentence, and what explains it.

    `failed` makes doctor fail, `warning` does not. The cure is a command or a line of code that
    mends it; None if there is nothing to mend.
    """

    check: str
    state: State
    summary: str
    details: tuple[str, ...] = ()
    cure: str | None = None


def refused(check: str, path: object, error: OSError, doing: str = "read") -> Finding:
    """Say that the system does not let this user at something."""
    shown = shlex.quote(str(path))
    disk = f" df -h {shown};" if doing == "written to" else ""
    summary = f"{path} cannot be {doing}: {error.strerror}."
    return Finding(check, "failed", summary, (OTHER_USER,), f"ls -ld {shown};{disk} id")


def named(items: list[str], most: int = 5) -> tuple[str, ...]:
    """Give the first examples, and say how many more there are."""
    rest = len(items) - most
    return (*items[:most], *([f"and {rest} more"] if rest > 0 else ()))
