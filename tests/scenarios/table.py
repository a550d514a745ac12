"""The table of scenarios: a name, how to run it, and what should be recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.scenarios.expect import Commis
from tests.scenarios.running import WAYS, Run, Way


@dataclass(frozen=True)
class Scenario:
    """One row.

    Args:
        name: What happens.
        expected: The commis that should be recorded, in the order of their jobs.
        run: Does it.
        raises: What the user should see raised, if anything.
        any_order: Whether the order of records within a commis is left to chance.
        kinds: Sync, async or both.
        ways: The ways of watching in which it makes sense.
        late_ends: How many calls end after they were recorded as cancelled.
    """

    name: str
    expected: tuple[Commis, ...]
    run: Run
    raises: type[BaseException] | None = None
    any_order: bool = False
    kinds: tuple[bool, ...] = (False, True)
    ways: tuple[Way, ...] = WAYS
    late_ends: int = 0


TABLE: list[Scenario] = []


def scenario(name: str, *expected: Commis, **options: Any) -> Callable[[Run], Run]:
    """Add a row to the table."""

    def add(run: Run) -> Run:
        TABLE.append(Scenario(name, expected, run, **options))
        return run

    return add
