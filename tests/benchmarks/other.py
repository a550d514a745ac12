"""What is felt apart from runs: importing, listing and starting commis in a large store."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks.processes import ROOT, clean_environment
from tests.benchmarks.tables import Table
from zerg_visibility import CommisMetadata, CommisStore
from zerg_visibility.clock import format_us

_IMPORT = """
import time, langgraph.graph, langgraph.pregel, langchain_core.tools
begun = time.perf_counter()
{statement}
print((time.perf_counter() - begun) * 1000)
"""
STATEMENTS = (
    "import zerg_visibility",
    "from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node",
)


def _python(*arguments: str) -> tuple[str, float]:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    return done.stdout, time.perf_counter() - begun


def imports(times: int) -> Table:
    """Measure imports in fresh processes that have imported langgraph."""
    rows = []
    for statement in STATEMENTS:
        code = _IMPORT.format(statement=statement)
        rows.append((f"`{statement}`", min(float(_python("-c", code)[0]) for _ in range(times))))
    return Table("Import after langgraph (ms)", ("statement", "fewest"), rows,
                 f"fewest of {times} processes; target 30.")  # fmt: skip


def fill(store: CommisStore, count: int) -> None:
    """Write finished commis as the store itself writes them."""
    created_us = time.time_ns() // 1000 - count * 1_000_000
    for number in range(count):
        moment = created_us + number * 1_000_000
        commis_id, job_id = store.create(f"Check the disk of host {number}", moment)
        text = format_us(moment)
        store.save_metadata(
            CommisMetadata(
                commis_id=commis_id, job_id=job_id, name="research", status="success",
                task=f"Check the disk of host {number}", created_at=text, started_at=text,
                segment_started_at=text, finished_at=format_us(moment + 900_000),
                duration_ms=900, wall_ms=900,
            )
        )  # fmt: skip


def large_store(count: int, times: int) -> tuple[Table, Table]:
    """Measure listing the newest of many commis, and starting one more among them."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = CommisStore(Path(folder, "small")), CommisStore(Path(folder, "large"))
        fill(small, 10)
        fill(large, count)
        os.sync()  # or the writing of the store would be measured with what comes next
        listing = []
        for name, store in (("10", small), (f"{count:,}", large)):
            command = ("-m", "zerg_visibility", "--root", str(store.root), "list", "--limit", "20")
            seconds = [_python(*command)[1] for _ in range(times)]
            listing.append((name, min(seconds), sorted(seconds)[len(seconds) // 2]))
        starting = _starting(small, large, 20 * times)
    return (
        Table("`zerg-visibility list` of the newest 20, start of Python included (s)",
              ("commis in the store", "fewest", "median"), listing,
              f"wall time of {times} processes; target 0.5 at 100,000."),
        Table("Starting one commis: its folder, job number and metadata.json (µs of CPU)",
              ("commis in the store", "fewest", "median", "first of a process"),
              [("10", *starting[0]), (f"{count:,}", *starting[1])],
              f"{20 * times} starts, interleaved; target the same in both."),
    )  # fmt: skip


def _starting(small: CommisStore, large: CommisStore, times: int) -> list[tuple[float, ...]]:
    found: list[list[float]] = [[], []]
    stores: list[Any] = [CommisStore(small.root), CommisStore(large.root)]
    for number in range(times):
        for which, store in enumerate(stores):
            moment = time.time_ns() // 1000
            begun = time.process_time_ns()
            commis_id, job_id = store.create(f"One more {number}", moment)
            metadata = CommisMetadata(commis_id=commis_id, created_at=format_us(moment))
            store.save_metadata(replace(metadata, job_id=job_id))
            found[which].append((time.process_time_ns() - begun) / 1000)
    return [(min(f), sorted(f)[len(f) // 2], f[0]) for f in found]
