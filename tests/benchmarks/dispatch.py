"""The dispatch view: microseconds of CPU that a handler adds to one event."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from langchain_core.callbacks import UsageMetadataCallbackHandler

from tests.benchmarks import workload
from tests.benchmarks.contenders import BARE, FLOOR, LINES
from tests.benchmarks.floors import EmptyInlineHandler, NewFileHandler, ThreeLinesHandler
from tests.benchmarks.tables import Table
from tests.benchmarks.workload import Kind, Load
from zerg_visibility import (
    CommisStore,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
    redact_secrets,
)
from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord

ALL = "zerg_visibility: all three tiers"
FILE = "handler that writes a file for each tool call"
OUTPUTS = "zerg_visibility: all tiers, tool outputs stored"


def nothing(_: Any) -> bytes:
    """Stand in for what makes a line."""
    return b""


class NoFile:
    """Stands in for metrics.jsonl where the cost of Tier 2 is to be left out."""

    def append(self, line: bytes) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def _bare(folder: Path, graph: Any) -> Iterator[tuple[Any, list[Any]]]:
    yield workload.around(graph), []


def _with(make: Callable[[Path], Any]) -> Any:
    @contextmanager
    def contender(folder: Path, graph: Any) -> Iterator[tuple[Any, list[Any]]]:
        yield workload.around(graph), [make(folder)]

    return contender


def _ours(*capture: str, metrics: bool = True, log: bool = False, redact: Any = None) -> Any:
    @contextmanager
    def contender(folder: Path, graph: Any) -> Iterator[tuple[Any, list[Any]]]:
        store = CommisStore(folder / "data")
        handler = VisibilityCallbackHandler(store)
        commis = create_commis_node(graph, store=store, capture=capture, redact=redact)
        with ExitStack() as stack:
            if not metrics:
                stack.enter_context(mock.patch("zerg_visibility.run_log.flat_line", nothing))
                for cls in (LLMCallRecord, ToolCallRecord):
                    stack.enter_context(mock.patch.object(cls, "to_dict", nothing))
                stack.enter_context(
                    mock.patch.object(CommisStore, "append_file", return_value=NoFile())
                )
            if log:
                stack.enter_context(_log_file(folder / "backend.log"))
            yield workload.around(commis), [handler]
        stats = handler.stats
        if stats.failures or stats.open_runs:
            raise RuntimeError(f"the measured handler failed: {stats}")

    return contender


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    logger = logging.getLogger("zerg_visibility")
    level = logger.level
    handler = configure_logging(path)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(level)


BASELINES = {
    BARE: _bare,
    FLOOR: _with(lambda _: EmptyInlineHandler()),
    LINES: _with(ThreeLinesHandler),
    "UsageMetadataCallbackHandler": _with(lambda _: UsageMetadataCallbackHandler()),
}
TIERS = {
    "zerg_visibility: Tier 1 (totals in memory)": _ours(metrics=False),
    "+ Tier 2 (metrics.jsonl)": _ours(),
    "+ started.jsonl": _ours("starts"),
    ALL: _ours("starts", log=True),
    "+ redact=redact_secrets": _ours("starts", log=True, redact=redact_secrets),
}
STORED = {OUTPUTS: _ours("starts", "tool_outputs", log=True)}
REDACTED = {
    "the same, redact=redact_secrets": _ours(
        "starts", "tool_outputs", log=True, redact=redact_secrets
    )
}


def measure(
    contenders: dict[str, Any],
    load: Callable[[], Load],
    *,
    asynchronous: bool,
    rounds: int,
    folder: Path,
) -> dict[str, Load]:
    """Run every contender in turn, several times over, and keep the cheapest run of each."""
    best: dict[str, Load] = {}
    current: list[Load] = [load()]
    graph = workload.build(lambda: current[0], asynchronous=asynchronous)
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            current[0] = load()
            if number == 0:  # a first run fills caches, and is not counted
                current[0].events = min(current[0].events, 100)
            with (
                tempfile.TemporaryDirectory(dir=folder) as place,
                contender(Path(place), graph) as (watched, handlers),
            ):
                workload.run(watched, handlers, asynchronous=asynchronous)
            if number and (name not in best or current[0].cpu_us < best[name].cpu_us):
                best[name] = current[0]
    return best


def costs(
    contenders: dict[str, Any], kind: Kind, events: int, rounds: int, folder: Path, messages: int
) -> dict[str, tuple[float, float]]:
    """Give what each contender adds to one event, sync and async, in microseconds of CPU."""
    found: list[dict[str, float]] = []
    for asynchronous in (False, True):
        best = measure(
            {BARE: _bare, **contenders},
            lambda: Load(kind, events, messages),
            asynchronous=asynchronous,
            rounds=rounds,
            folder=folder,
        )
        bare = best[BARE].cpu_us
        found.append({name: best[name].cpu_us - bare for name in contenders})
    return {name: (found[0][name], found[1][name]) for name in contenders}


def tables(folder: Path, *, rounds: int, events: int, worst_of: int) -> Iterator[Table]:
    """Measure the dispatch view."""
    baselines = {name: c for name, c in BASELINES.items() if name != BARE}
    headings = ("handler", "sync", "async")
    rows = costs({**baselines, **TIERS}, "calls", events, rounds, folder, 20)
    yield Table(
        "Dispatch: CPU added to one finished model or tool call (µs)",
        headings,
        [(name, *cost) for name, cost in rows.items()],
        f"{events:,} events a run, fewest of {rounds} interleaved runs; target 28 sync, 40 async.",
    )
    yield _single("Stored tool outputs: CPU added to one tool call (µs)", "tools",
                  {FILE: _with(NewFileHandler), ALL: TIERS[ALL], **STORED, **REDACTED},
                  events // 2, rounds, folder, "target 100.")  # fmt: skip
    yield _single("Chain runs: CPU added to one (µs)", "chains",
                  {FLOOR: baselines[FLOOR], ALL: TIERS[ALL]}, events, rounds, folder,
                  "target 8 sync, 15 async.")  # fmt: skip
    yield _single("Streamed chunks after the first: CPU added to one (µs)", "chunks",
                  {FLOOR: baselines[FLOOR], ALL: TIERS[ALL]}, 5 * events, rounds, folder,
                  "target 3 sync, 6 async.")  # fmt: skip
    short = costs({ALL: TIERS[ALL]}, "calls", events, rounds, folder, 20)[ALL]
    long = costs({ALL: TIERS[ALL]}, "calls", events, rounds, folder, 800)[ALL]
    yield Table(
        "Length of the conversation: CPU added to one event, all three tiers (µs)",
        ("messages", "sync", "async"),
        [("20", *short), ("800", *long)],
        "flat is the target.",
    )
    yield _worst(folder, worst_of)


def _single(
    title: str,
    kind: Kind,
    contenders: dict[str, Any],
    events: int,
    rounds: int,
    folder: Path,
    note: str,
) -> Table:
    rows = costs(contenders, kind, events, rounds, folder, 20)
    return Table(
        title, ("handler", "sync", "async"), [(name, *cost) for name, cost in rows.items()], note
    )


def _worst(folder: Path, events: int) -> Table:
    rows: list[Sequence[Any]] = []
    references = {name: BASELINES[name] for name in (BARE, LINES)}
    for name, contender in {**references, ALL: TIERS[ALL], **STORED}.items():
        best = measure(
            {name: contender},
            lambda: Load("worst", events),
            asynchronous=True,
            rounds=1,
            folder=folder,
        )[name]
        rows += [
            (name, s.wall_us, s.cpu_us, s.what, "yes" if s.collected else "no")
            for s in best.spikes[:3]
        ]
    return Table(
        f"The slowest of {events:,} async events, start to end (µs)",
        ("handler", "wall", "CPU", "what", "garbage collection in it"),
        rows,
        "target 1,000. With much wall time and little CPU the machine did something else.",
    )
