"""`python -m tests.benchmarks`: measure, print Markdown, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

VIEWS = ("dispatch", "graph", "sending", "other")
PACKAGES = (
    "langgraph", "langchain-core", "langsmith", "langfuse",
    "openinference-instrumentation-langchain", "opentelemetry-instrumentation-langchain",
    "opentelemetry-instrumentation-genai-langchain", "opentelemetry-sdk",
)  # fmt: skip


@dataclass(slots=True)
class Scale:
    """How much is measured.

    Args:
        rounds: Of the dispatch view.
        events: A run of the dispatch view.
        worst_of: Events among which the slowest is looked for.
        sizes: Steps of the agents.
        seconds: For each contender and size, at least.
        burst: Events over which memory is measured.
        burst_seconds: At most.
        kills: Of each contender.
        times: Processes for imports and listing.
        commis: In the large store.
    """

    rounds: int = 5
    events: int = 4000
    worst_of: int = 100_000
    sizes: tuple[int, ...] = (30, 120, 400)
    seconds: float = 10.0
    burst: int = 20_000
    burst_seconds: float = 300.0
    kills: int = 3
    times: int = 5
    commis: int = 100_000


QUICK = Scale(
    rounds=2, events=1000, worst_of=10_000, sizes=(30, 120), seconds=3.0, burst=1000,
    burst_seconds=10.0, kills=1, times=3, commis=20_000,
)  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes instead of half an hour")
    parser.add_argument("--json", type=Path, default=Path(".benchmarks/results.json"),
                        metavar="PATH", help="where the tables go as JSON")  # fmt: skip
    parser.add_argument("--only", choices=VIEWS, action="append", help="one view; may be repeated")
    parser.add_argument("--steps", type=int, action="append", help="a length of agents; repeatable")
    parser.add_argument("--watcher", action="append", help="part of a name; may be repeated")
    parser.add_argument("--seconds", type=float, help="for each contender and size, at least")
    parser.add_argument("--burst-seconds", type=float, help="for each contender's memory, at most")
    return parser.parse_args()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _measure(view: str, scale: Scale, given: argparse.Namespace) -> Iterator[Any]:
    """Yield tables, and a list of targets after those it belongs to."""
    from tests.benchmarks import dispatch, other, processes, sending, targets, whole_graph

    if view == "dispatch":
        shown = []
        with tempfile.TemporaryDirectory() as folder:
            for table in dispatch.tables(
                Path(folder), rounds=scale.rounds, events=scale.events, worst_of=scale.worst_of
            ):
                shown.append(table)
                yield table
        yield list(targets.of_dispatch(shown))
    elif view == "graph":
        names = list(processes.installed(given.quick, given.watcher or [""]))
        sizes = list(scale.sizes)
        found = whole_graph.costs(names, sizes, scale.seconds)
        yield whole_graph.cost_table(found, "sync")
        yield list(targets.of_whole_graph(found, "sync"))
        if not given.quick:
            found = whole_graph.costs(names, sizes[:1], scale.seconds, asynchronous=True)
            yield whole_graph.cost_table(found, "async")
            yield list(targets.of_whole_graph(found, "async"))
    elif view == "sending":
        names = list(processes.installed(given.quick, given.watcher or [""]))
        yield sending.burst_table(names, scale.burst, scale.burst_seconds, scale.times)
        killed = sending.kill_table(names, scale.kills)
        yield killed
        yield list(targets.of_others([killed]))
    else:
        shown = [other.imports(scale.times)]
        shown += other.large_store(scale.commis, scale.times)
        yield from shown
        yield list(targets.of_others(shown))


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    scale = QUICK if given.quick else Scale()
    scale.sizes = tuple(given.steps or scale.sizes)
    scale.seconds = given.seconds or scale.seconds
    scale.burst_seconds = given.burst_seconds or scale.burst_seconds
    head = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "quick": given.quick,
        "versions": _versions(),
    }
    versions = ", ".join(f"{name} {version}" for name, version in head["versions"].items())
    print(f"{head['date']}, {head['system']}, {head['processors']} processors; {versions}\n")
    tables, reached = [], []
    for view in given.only or VIEWS:
        for item in _measure(view, scale, given):
            if isinstance(item, list):
                reached += item
            else:
                tables.append(item.to_dict())
                print(item.markdown(), flush=True)
            results = {
                **head,
                "tables": tables,
                "targets": [asdict(t) | {"met": t.met} for t in reached],
            }
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(results, indent=2) + "\n")
    print("### Targets\n")
    print("\n".join(target.line() for target in reached))


if __name__ == "__main__":
    main()
