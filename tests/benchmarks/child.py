"""The process of one contender: `python -m tests.benchmarks.child MODE CONTENDER JSON`."""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import agent
from tests.benchmarks.contenders import CONTENDERS, Watch, watching


def stay_on_loopback() -> None:
    """Refuse every connection of this process to another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise ConnectionRefusedError(f"the benchmark stays on loopback, not {address[0]}")
        return connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign]


def cost(watch: Watch, steps: int, seconds: float, rounds: int, asynchronous: bool) -> Any:
    """Measure bare and watched runs in turn: microseconds an event."""
    commis = agent.build_commis(steps, asynchronous=asynchronous)
    graphs = {
        "bare": agent.build_concierge(commis),
        "watched": agent.build_concierge(watch.wrap(commis)),
    }
    found: dict[str, list[dict[str, float]]] = {"bare": [], "watched": []}

    def measure(name: str) -> dict[str, float]:
        handlers = list(watch.handlers) if name == "watched" else []
        gc.collect()
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        events = agent.run(graphs[name], steps, handlers, asynchronous=asynchronous)
        ran_cpu, ran = time.process_time_ns(), time.perf_counter_ns()
        if name == "watched":
            watch.flush()
        return {
            "cpu_us": (ran_cpu - cpu) / events / 1000,
            "wall_us": (ran - wall) / events / 1000,
            "flush_cpu_us": (time.process_time_ns() - ran_cpu) / events / 1000,
        }

    def one(name: str) -> dict[str, float]:
        if name == "bare":
            return measure(name)
        with watching(watch):
            return measure(name)

    one("bare")
    one("watched")
    begun = time.monotonic()
    for number in itertools.count():
        for name in ("bare", "watched") if number % 2 else ("watched", "bare"):
            found[name].append(one(name))
        if number + 1 >= rounds and time.monotonic() - begun >= seconds:
            return found
    return None


def burst(watch: Watch, events: int, seconds: float) -> Any:
    """Measure memory growth over many events, and the time to flush after them."""
    graph = agent.build_concierge(watch.wrap(agent.build_commis(30)))
    with watching(watch):
        warm = sum(agent.run(graph, 30, list(watch.handlers)) for _ in range(3))
        watch.flush()
        gc.collect()
        before, begun, done = _memory_mb(), time.monotonic(), 0
        while done < events and time.monotonic() - begun < seconds:
            done += agent.run(graph, 30, list(watch.handlers))
        ended = time.monotonic()
        watch.flush()
        flushed = time.monotonic()
        gc.collect()
        return {
            "events": done,
            "all_events": done + warm,
            "seconds": ended - begun,
            "flush_s": flushed - ended,
            "memory_mb": _memory_mb() - before,
        }


def endless(watch: Watch, truth: str) -> Any:
    """Run an agent of 2,000 steps until somebody kills this process."""
    fd = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    commis = agent.build_commis(2000, pause_s=0.005, truth=fd)
    with watching(watch):
        agent.run(agent.build_concierge(watch.wrap(commis)), 2000, list(watch.handlers))


def _memory_mb() -> float:
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0.0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(mode: str, name: str, arguments: str) -> None:
    """Measure one thing of one contender and print it as JSON."""
    given: dict[str, Any] = json.loads(arguments)
    stay_on_loopback()
    url, folder = given.pop("url"), Path(given.pop("folder"))
    for module in ("langgraph.graph", "langgraph.pregel", "langchain_core.tools"):
        importlib.import_module(module)
    begun = time.perf_counter()
    watch = CONTENDERS[name](url, folder)
    setup_ms = (time.perf_counter() - begun) * 1000
    modes = {"cost": cost, "burst": burst, "endless": endless}
    found = {} if mode == "setup" else modes[mode](watch, **given)
    found["setup_ms"] = setup_ms
    print(json.dumps(found), flush=True)
    os._exit(0)  # what a client still wants to send does not matter any more


if __name__ == "__main__":
    main(*sys.argv[1:])
