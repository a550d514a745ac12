"""Every row of the table, run sync and async, in each way of watching."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios import (  # noqa: F401 - they fill the table
    agents,
    control,
    endings,
    failures,
    models,
    retries,
    shapes,
)
from tests.scenarios.found import orphans
from tests.scenarios.running import Way, execute
from tests.scenarios.table import TABLE, Scenario

CASES = [
    pytest.param(row, way, is_async, id=f"{row.name}-{'async' if is_async else 'sync'}-{way}")
    for row in TABLE
    for is_async in row.kinds
    for way in row.ways
]


@pytest.mark.parametrize(("row", "way", "is_async"), CASES)
def test_scenario(row: Scenario, way: Way, is_async: bool, tmp_path: Path) -> None:
    seen = execute(row.run, tmp_path, way, is_async, any_order=row.any_order)

    assert type(seen.raised) is (row.raises or type(None)), seen.raised
    expected = row.expected
    if row.any_order:
        expected = tuple(sorted((sorted_records(one) for one in expected), key=str))
        seen.commis = tuple(sorted(seen.commis, key=str))
    assert seen.commis == expected
    assert orphans(tmp_path) == []
    if way != "node alone":
        assert seen.stats.open_runs == 0
        assert seen.stats.failures == 0
        assert seen.stats.late_ends == row.late_ends
    for node in seen.watch.nodes:
        assert node.commis_handler.open_runs == 0
        assert node.commis_handler.stats.failures == 0


def sorted_records(one):
    from dataclasses import replace

    return replace(
        one,
        records=tuple(sorted(one.records, key=str)),
        children=tuple(sorted_records(child) for child in one.children),
    )
