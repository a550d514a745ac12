"""Killing a process at a random moment, and reading what it had done by then."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
START_S = 60.0
"""How long a victim may take until its first call has returned."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the graph itself says that it did.

    Args:
        begun: Models and tools that were at work.
        done: Calls that had returned to their node.
    """

    begun: frozenset[str]
    done: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read a truth file; a line that the victim did not finish is none."""
        lines = [line.split(" ") for line in path.read_text().split("\n")[:-1]]
        return cls(
            frozenset(mark for what, mark in lines if what == "begun"),
            frozenset(mark for what, mark in lines if what == "done"),
        )


def kill_at_random(
    truth: Path, watch: str, *where: str, longest_s: float = 1.0, shortest_s: float = 0.0
) -> Truth:
    """Start a victim, kill it at a random moment after its first call has returned, and read on."""
    command = [sys.executable, "-m", "tests.crash.victim", str(truth), watch, *where]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    pause = threading.Event()
    try:
        deadline = time.monotonic() + START_S
        while not (truth.exists() and Truth.read(truth).done):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the victim did not start: {process.communicate()[1][-2000:]}")
            pause.wait(0.005)
        pause.wait(random.uniform(shortest_s, longest_s))
    finally:
        process.kill()
        process.communicate()
    return Truth.read(truth)
