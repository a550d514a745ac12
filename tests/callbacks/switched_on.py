"""Run every row of the table with nothing but ZERG_VISIBILITY=1, and say which rows went wrong.

`python -m tests.callbacks.switched_on FOLDER`, where FOLDER is empty. It prints what went wrong and
exits with 1 if anything did.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.scenarios import test_scenarios
from tests.scenarios.running import execute
from tests.scenarios.table import TABLE, Scenario
from zerg_visibility.callbacks.activation import active_handler


def difference(row: Scenario, root: Path, is_async: bool) -> str | None:
    """Run one row without passing a handler, and say in what it is not as expected."""
    seen = execute(row.run, root, "node alone", is_async, any_order=row.any_order)
    found, expected = seen.commis, row.expected
    if row.any_order:
        expected = tuple(sorted(map(test_scenarios.sorted_records, expected), key=str))
        found = tuple(sorted(found, key=str))
    if type(seen.raised) is not (row.raises or type(None)):
        return f"raised {seen.raised!r}"
    # One handler sees the whole graph, so each commis has a concierge, or is a root itself.
    if found != expected:
        return f"recorded {found}\ninstead of {expected}"
    return None


def main(root: Path) -> int:
    """Run all rows; give the exit code."""
    handler = active_handler.get()
    if handler is None:
        print("not switched on")
        return 1
    wrong = 0
    for number, row in enumerate(TABLE):
        for is_async in row.kinds:
            said = difference(row, root / f"{number}-{is_async}", is_async)
            if said is not None:
                print(f"{row.name} ({'async' if is_async else 'sync'}): {said}")
            if handler.open_runs or handler.stats.failures:
                print(f"{row.name}: {handler.stats}")
            wrong += said is not None
    print(f"{wrong} of {len(TABLE)} rows went wrong; {handler.stats}")
    late = sum(row.late_ends * len(row.kinds) for row in TABLE)
    stats = handler.stats
    return int(bool(wrong or stats.open_runs or stats.failures or stats.late_ends != late))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
