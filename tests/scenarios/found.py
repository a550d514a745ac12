"""What a store holds after a run, in the form of expectations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson

from tests.scenarios.expect import Commis, observed
from zerg_visibility import CommisMetadata, CommisStore


def by_job(store: CommisStore) -> list[CommisMetadata]:
    """All commis in the order of their jobs."""
    return sorted(store.recent(), key=lambda one: one.job_id or 0)


def found(store: CommisStore, *, any_order: bool = False) -> list[Commis]:
    """All commis in the order of their jobs, each by itself."""
    return [look(store, one, any_order=any_order) for one in by_job(store)]


def look(store: CommisStore, one: CommisMetadata, *, any_order: bool = False) -> Commis:
    """One commis; every line of its file is whole."""
    read = store.records(one.commis_id)
    assert read.remark is None
    return observed(one, read.items, any_order)


def lines(root: Path) -> Iterator[dict]:
    """The records of all files of a store."""
    for path in sorted(root.rglob("metrics.jsonl")):
        yield from map(orjson.loads, path.read_bytes().splitlines())


def kinds(root: Path) -> dict[str, int]:
    """How many records of each kind all files of a store hold."""
    return dict(Counter(line["event"] for line in lines(root)))


def orphans(root: Path) -> list[dict]:
    """The lines whose parent stands in no line of the store, or is the line itself."""
    every = list(lines(root))
    for path in root.rglob("started.jsonl"):
        every += map(orjson.loads, path.read_bytes().splitlines())
    for path in root.rglob("metadata.json"):
        every += orjson.loads(path.read_bytes())["runs"]
    spans = {line["span_id"] for line in every}
    return [
        line
        for line in every
        if (parent := line.get("parent_span_id")) is not None
        and (parent not in spans or parent == line["span_id"])
    ]
