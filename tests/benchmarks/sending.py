"""What becomes of what a contender has seen: memory, time to send it, and what a kill loses."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contenders import DEFAULT, OURS, REFERENCES
from tests.benchmarks.processes import ask, command, written
from tests.benchmarks.sink import serve
from tests.benchmarks.tables import Table


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
        start = command("endless", name, sink, folder, truth=str(truth))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(**start, **quiet) as process:
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
        return completed, written(folder) if name in {OURS, DEFAULT} else sink.calls()
