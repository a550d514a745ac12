"""The issue's targets, each held against what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.benchmarks.contenders import DEFAULT, GENAI_CONTENT, OURS, REFERENCES
from tests.benchmarks.tables import Table, cell
from tests.benchmarks.whole_graph import Costs


@dataclass(slots=True)
class Target:
    """One target and what was measured.

    Args:
        what: What it is about.
        measured: The figure.
        target: The bound.
        at_least: Whether the bound is a lower one.
        unit: Of both.
    """

    what: str
    measured: float
    target: float
    at_least: bool = False
    unit: str = "µs"

    @property
    def met(self) -> bool:
        """Say whether the target is met."""
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def line(self) -> str:
        """Write one line of a Markdown list."""
        bound = "at least" if self.at_least else "at most"
        distance = "" if self.met else self._distance()
        return (
            f"- **{'met' if self.met else 'not met'}**: {self.what}: "
            f"{cell(float(self.measured))} {self.unit}, "
            f"target {bound} {self.target:g} {self.unit}{distance}"
        )

    def _distance(self) -> str:
        low, high = sorted((self.measured, self.target))
        return f", missed by a factor {high / low:.2f}" if low > 0 else ""


_DISPATCH = (
    ("Dispatch", "zerg_visibility: all three tiers", "one call", 28, 40),
    ("Stored tool outputs", "zerg_visibility: all tiers, tool", "a stored tool output", 100, 100),
    ("Chain runs", "zerg_visibility: all three tiers", "a chain run", 8, 15),
    ("Streamed chunks", "zerg_visibility: all three tiers", "a streamed chunk", 3, 6),
)


def of_dispatch(tables: Iterable[Table]) -> Iterator[Target]:
    """Hold the dispatch view against its targets."""
    for table in tables:
        for title, row_name, what, sync, asynchronous in _DISPATCH:
            if table.title.startswith(title):
                row = next(row for row in table.rows if row[0].startswith(row_name))
                yield Target(f"dispatch view, {what}, sync", row[1], sync)
                yield Target(f"dispatch view, {what}, async", row[2], asynchronous)
        if table.title.startswith("Length"):
            short, long = table.rows
            for column, way in ((1, "sync"), (2, "async")):
                growth = long[column] / short[column]
                yield Target(f"dispatch view, 800 messages : 20, {way}", growth, 1.15, unit="times")
        if table.title.startswith("The slowest"):
            ours = [row for row in table.rows if row[0] not in REFERENCES]
            slowest = max(ours, key=lambda row: row[1])
            yield Target(f"{table.title}: wall, {slowest[3]}", slowest[1], 1000)
            yield Target(f"{table.title}: CPU, at most", max(row[2] for row in ours), 1000)


def of_whole_graph(found: dict[str, Costs], way: str) -> Iterator[Target]:
    """Hold the whole-graph view against its targets."""
    peers = [name for name in found if name not in REFERENCES | {OURS, DEFAULT, GENAI_CONTENT}]
    if OURS not in found:
        return
    ours = found[OURS].cpu
    for steps, cost in ours.items():
        # A figure within the noise would divide to anything.
        floor = max(cost, 1.0)
        if peers:
            cheapest = min(peers, key=lambda name: found[name].cpu[steps])
            yield Target(
                f"whole graph, {way}, {steps} steps, CPU of {cheapest} : ours",
                found[cheapest].cpu[steps] / floor, 10, at_least=True, unit="times",
            )  # fmt: skip
        if "langfuse" in found:
            yield Target(
                f"whole graph, {way}, {steps} steps, CPU of langfuse : ours",
                found["langfuse"].cpu[steps] / floor, 50, at_least=True, unit="times",
            )  # fmt: skip
    first, last = min(ours), max(ours)
    if last > first:
        growth = ours[last] / max(ours[first], 1.0)
        yield Target(f"whole graph, {way}, {last} steps : {first}", growth, 1.15, unit="times")


def of_others(tables: Iterable[Table]) -> Iterator[Target]:
    """Hold imports, listing, starting and kills against their targets."""
    for table in tables:
        if table.title.startswith("Import after"):
            for row in table.rows:
                yield Target(f"{row[0]} after langgraph", row[1], 30, unit="ms")
        if "list`" in table.title:
            name, fewest, _ = table.rows[-1]
            yield Target(f"list of the newest 20 of {name} commis", fewest, 0.5, unit="s")
        if table.title.startswith("Starting"):
            small, large = table.rows
            yield Target(
                f"starting a commis, {large[0]} commis : {small[0]}, medians",
                large[2] / small[2], 1.15, unit="times",
            )  # fmt: skip
        if table.title.startswith("Killed"):
            lost = sum(row[2] for row in table.rows if row[0] in {OURS, DEFAULT})
            yield Target("completed calls lost when killed", lost, 0, unit="calls")
