"""The whole-graph view: what a user feels, under this package and under its peers."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.benchmarks.contenders import BARE, DEFAULT, GENAI, OURS, REFERENCES
from tests.benchmarks.processes import ask
from tests.benchmarks.tables import Table

PROCESSES = 3
"""Of each contender that costs little: two processes differ in how their memory lies."""


@dataclass(slots=True)
class Costs:
    """What one contender adds to one event, by length of the agent; medians over processes.

    Args:
        cpu: Microseconds of CPU in the run, fewest watched less fewest bare.
        flush_cpu: Microseconds of CPU for sending the rest afterwards.
        wall: Microseconds of wall time in the run, medians.
        bare: Microseconds of CPU of the bare graph.
        rounds: Pairs of runs, over all processes.
    """

    cpu: dict[int, float] = field(default_factory=dict)
    flush_cpu: dict[int, float] = field(default_factory=dict)
    wall: dict[int, float] = field(default_factory=dict)
    bare: dict[int, float] = field(default_factory=dict)
    rounds: dict[int, int] = field(default_factory=dict)


def costs(
    names: list[str], sizes: list[int], seconds: float, *, asynchronous: bool = False
) -> dict[str, Costs]:
    """Measure what each contender adds to one event."""
    found = {name: Costs() for name in names}
    small = REFERENCES | {OURS, DEFAULT, GENAI}
    for steps in sizes:
        passes: dict[str, list[Pass]] = {name: [] for name in names}
        for number in range(PROCESSES):
            for name in names:
                if number and name not in small:
                    continue
                passes[name].append(_pass(name, steps, seconds, asynchronous))
                last = passes[name][-1]
                progress = f"{last.cpu:,.0f} µs more than {last.bare:,.0f}"
                print(f"  {name}, {steps} steps: {progress}", file=sys.stderr, flush=True)
        for name, done in passes.items():
            to = found[name]
            to.cpu[steps] = statistics.median(one.cpu for one in done)
            to.flush_cpu[steps] = statistics.median(one.flush_cpu for one in done)
            to.wall[steps] = statistics.median(one.wall for one in done)
            to.bare[steps] = min(one.bare for one in done)
            to.rounds[steps] = sum(one.rounds for one in done)
    return found


class Pass(NamedTuple):
    """What one process measured; as in `Costs`."""

    cpu: float
    flush_cpu: float
    wall: float
    bare: float
    rounds: int


def _pass(name: str, steps: int, seconds: float, asynchronous: bool) -> Pass:
    runs, _ = ask("cost", name, steps=steps, seconds=seconds, rounds=2, asynchronous=asynchronous)
    bare, watched = (
        {key: [run[key] for run in runs[kind]] for key in ("cpu_us", "wall_us", "flush_cpu_us")}
        for kind in ("bare", "watched")
    )
    return Pass(
        cpu=min(watched["cpu_us"]) - min(bare["cpu_us"]),
        flush_cpu=statistics.median(watched["flush_cpu_us"]),
        wall=statistics.median(watched["wall_us"]) - statistics.median(bare["wall_us"]),
        bare=min(bare["cpu_us"]),
        rounds=len(runs["bare"]),
    )


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
        f"CPU: fewest watched less fewest bare, in one process, interleaved; wall: medians. Of "
        f"what costs little, the median of {PROCESSES} processes. The bare graph takes {bare} µs "
        f"of CPU an event at its fewest. The row '{BARE}' is bare "
        f"against bare: the noise.",
    )
