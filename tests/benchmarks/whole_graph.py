"""The whole-graph view: what a user feels, under this package and under its peers."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import (
    BARE,
    CONTENDERS,
    DEFAULT,
    ENVIRONMENT,
    GENAI_CONTENT,
    MODULES,
    OURS,
    REFERENCES,
)
from tests.benchmarks.sink import Sink, serve
from tests.benchmarks.tables import Table

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = (
    "LANG",
    "PYTHONDONTWRITE",
    "OTEL_",
    "TRACELOOP",
    "ZERG_",
    "HTTP",
    "http",
    "ALL_PROXY",
    "all_proxy",
)


@dataclass(slots=True)
class Costs:
    """What one contender adds to one event, by length of the agent.

    Args:
        cpu: Microseconds of CPU in the run, fewest watched less fewest bare.
        cpu_median: The same of medians.
        flush_cpu: Microseconds of CPU for sending the rest afterwards.
        wall: Microseconds of wall time in the run, medians.
        bare: Microseconds of CPU of the bare graph.
        rounds: Pairs of runs.
    """

    cpu: dict[int, float] = field(default_factory=dict)
    cpu_median: dict[int, float] = field(default_factory=dict)
    flush_cpu: dict[int, float] = field(default_factory=dict)
    wall: dict[int, float] = field(default_factory=dict)
    bare: dict[int, float] = field(default_factory=dict)
    rounds: dict[int, int] = field(default_factory=dict)


def clean_environment() -> dict[str, str]:
    """Give the environment without what would change how somebody else's machine measures."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    return {**kept, "NO_PROXY": "*", "LANG": "C.UTF-8"}


def _command(mode: str, name: str, sink: Sink, folder: str, **arguments: Any) -> dict[str, Any]:
    environment = clean_environment() | ENVIRONMENT.get(name, {})
    given = json.dumps({"url": sink.url, "folder": folder, **arguments})
    return {
        "args": [sys.executable, "-m", "tests.benchmarks.child", mode, name, given],
        "cwd": ROOT,
        "env": environment,
    }


def ask(mode: str, name: str, **arguments: Any) -> tuple[Any, int]:
    """Measure one thing in a process of its own; give what it says and the calls that arrived."""
    with serve(keeping=mode == "burst") as sink, tempfile.TemporaryDirectory() as folder:
        command = _command(mode, name, sink, folder, **arguments)
        done = subprocess.run(**command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        return found, _written(folder) if name in {OURS, DEFAULT} else sink.calls()


def _written(folder: str) -> int:
    files = Path(folder).glob("zerg-data/commis/*/metrics.jsonl")
    return sum(file.read_bytes().count(b"_call") for file in files)


def costs(
    names: list[str], sizes: list[int], seconds: float, *, asynchronous: bool = False
) -> dict[str, Costs]:
    """Measure what each contender adds to one event."""
    found = {name: Costs() for name in names}
    for steps in sizes:
        for name in names:
            # What is small needs more rounds to be seen.
            quick = name in REFERENCES | {OURS, DEFAULT}
            runs, _ = ask(
                "cost", name, steps=steps, seconds=seconds * (2 if quick else 1),
                rounds=4 if quick else 2, asynchronous=asynchronous,
            )  # fmt: skip
            del runs["setup_ms"]
            column = {
                kind: {key: [run[key] for run in rounds] for key in rounds[0]}
                for kind, rounds in runs.items()
            }
            bare, watched, to = column["bare"], column["watched"], found[name]
            to.cpu[steps] = min(watched["cpu_us"]) - min(bare["cpu_us"])
            to.cpu_median[steps] = _median(watched["cpu_us"]) - _median(bare["cpu_us"])
            to.flush_cpu[steps] = _median(watched["flush_cpu_us"])
            to.wall[steps] = _median(watched["wall_us"]) - _median(bare["wall_us"])
            to.bare[steps] = min(bare["cpu_us"])
            to.rounds[steps] = len(runs["bare"])
            progress = f"{to.cpu[steps]:,.0f} µs more than {to.bare[steps]:,.0f}"
            print(f"  {name}, {steps} steps: {progress}", file=sys.stderr, flush=True)
    return found


def _median(values: list[float]) -> float:
    return statistics.median(values)


def cost_table(found: dict[str, Costs], way: str) -> Table:
    """Lay out what each contender adds to one event."""
    sizes = list(next(iter(found.values())).cpu)
    first, last = sizes[0], sizes[-1]
    columns = ["watched by"]
    for steps in sizes:
        columns += [f"CPU, {steps} steps", f"wall, {steps}"]
    columns += [f"CPU {last} : {first}", f"CPU to flush, {last}", "rounds"]
    rows = []
    for name, cost in found.items():
        row: list[Any] = [name]
        for steps in sizes:
            row += [cost.cpu[steps], cost.wall[steps]]
        growth = (
            cost.cpu[last] / cost.cpu[first]
            if cost.cpu[first] > 1 and name not in REFERENCES
            else None
        )
        row += [growth, cost.flush_cpu[last], "/".join(str(n) for n in cost.rounds.values())]
        rows.append(row)
    bare = ", ".join(f"{min(c.bare[s] for c in found.values()):,.0f}" for s in sizes)
    return Table(
        f"Whole graph, {way}: added to one finished model or tool call (µs)",
        columns,
        rows,
        f"CPU: fewest watched less fewest bare, in one process, interleaved; wall: medians. The "
        f"bare graph takes {bare} µs of CPU an event at its fewest. The row '{BARE}' is bare "
        f"against bare: the noise.",
    )


def burst_table(names: list[str], events: int, seconds: float, imports: int) -> Table:
    """Measure set-up time, memory growth, time to flush, and what arrives."""
    rows = []
    for name in names:
        times = [ask("setup", name)[0]["setup_ms"] for _ in range(imports - 1)]
        found, arrived = ask("burst", name, events=events, seconds=seconds)
        times.append(found["setup_ms"])
        share = None if name in REFERENCES else 100 * min(1.0, arrived / found["all_events"])
        rows.append(
            (name, min(times), found["events"], found["memory_mb"], found["flush_s"], share)
        )
        print(f"  {name}: {found['events']} events", file=sys.stderr, flush=True)
    return Table(
        "Import, memory and flush",
        ("watched by", "import and set-up (ms)", "events", "memory growth (MB)", "flush (s)",
         "calls that arrived (%)"),
        rows,
        f"Import: fewest of {imports} fresh processes, langgraph imported before. Memory: "
        f"resident, after 180 events against after so many more (agents of 30 steps, at most "
        f"{seconds:.0f} s).",
    )  # fmt: skip


def kill_table(names: list[str], kills: int) -> Table:
    """Kill each contender after 1.5 s and count the completed calls that are nowhere."""
    rows = []
    for name in names:
        if name in REFERENCES:
            continue
        shares, lost, total = [], 0, 0
        for _ in range(kills):
            truth, arrived = _kill(name)
            missing = max(0, truth - arrived)
            shares.append(100 * missing / max(1, truth))
            lost, total = lost + missing, total + truth
        rows.append((name, total, lost, min(shares), max(shares)))
    return Table(
        "Killed after 1.5 s: completed calls that are lost",
        ("watched by", "completed", "lost", "least (%)", "most (%)"),
        rows,
        f"SIGKILL, {kills} times; completed: returned to their node, by a file that the graph "
        f"writes. Counted at the sink a second later; ours in metrics.jsonl.",
    )


def _kill(name: str) -> tuple[int, int]:
    with serve(keeping=True) as sink, tempfile.TemporaryDirectory() as folder:
        truth = Path(folder, "truth")
        command = _command("endless", name, sink, folder, truth=str(truth))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(**command, **quiet) as process:
            deadline = time.monotonic() + 60
            while not truth.exists() or not truth.stat().st_size:
                if time.monotonic() > deadline or process.poll() is not None:
                    process.kill()
                    raise RuntimeError(f"{name} did not start")
                time.sleep(0.01)
            time.sleep(1.5)
            process.send_signal(signal.SIGKILL)
        time.sleep(1)
        completed = truth.read_bytes().count(b"\n")
        return completed, _written(folder) if name in {OURS, DEFAULT} else sink.calls()


def installed(quick: bool, parts: list[str]) -> Iterator[str]:
    """Name the contenders whose packages are there; the quick run leaves out two variants.

    Args:
        quick: Whether this is the quick run.
        parts: Only those with one of these in their name.
    """
    for name in CONTENDERS:
        if not any(part in name for part in parts):
            continue
        if quick and name in {DEFAULT, GENAI_CONTENT}:
            continue
        if all(_is_there(module) for module in MODULES.get(name, ())):
            yield name
        else:
            print(f"left out, since it is not installed: {name}", file=sys.stderr)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
