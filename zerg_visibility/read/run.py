"""One run as its files tell it: what a commis and a root run of a concierge have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.errors import CommisNotFoundError
from zerg_visibility.read.tables import html_table
from zerg_visibility.read.timeline import Timeline, timeline
from zerg_visibility.records.codec import AnyRecord, Record
from zerg_visibility.records.runs import CommisRunRecord, ConciergeRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.artifacts import list_artifacts
from zerg_visibility.store.layout import METRICS, STARTED
from zerg_visibility.store.metadata import CommisTotals
from zerg_visibility.store.reading import (
    LinesRead,
    read_or_say,
    read_records,
    read_starts,
    without_root_runs,
)
from zerg_visibility.store.system import posix
from zerg_visibility.words import counted, duration, one_line

BELOW_ASKED = 100
"""So many commis below one are asked for a sign of life."""

Unended: TypeAlias = Literal["open", "waiting", "stopped"]
"""What became of what has no record: it goes on (or did when its process went), it waits for a
human, or it ended with the segment that it began in."""


@dataclass(frozen=True, slots=True)
class Child:
    """A commis that a run started, as that run's own files tell it; its id may be anything."""

    commis_id: str
    job_id: int | None
    name: str
    status: str


_TOLD = ("commis_id", "job_id", "name", "task", "concierge_id", "thread_id", "error")
"""What a notebook shows of a summary."""


class RunFiles(ABC):
    """One run as it stands at one moment; each of its files is read once, when it is asked for."""

    segments = 1
    """Its stretches of work."""

    problem: str | None = None
    """Why what is known of it as a whole cannot be read, if it cannot."""

    latest_segment_us: int | None = None
    """When its latest stretch of work began; None if not known, or if it has but one."""

    @property
    @abstractmethod
    def status(self) -> str:
        """How it stands; `lost` if its process is gone."""

    @property
    @abstractmethod
    def start_us(self) -> int:
        """When it began, in microseconds since 1970."""

    @property
    @abstractmethod
    def until_us(self) -> int:
        """When it ended or began to wait, or how far it is known to have run; µs since 1970."""

    @property
    @abstractmethod
    def at_work_ms(self) -> int | None:
        """Milliseconds at work, or passed if it has not ended; None if not known."""

    def __init__(self, label: str, folder: Path, now_us: int | None) -> None:
        self.label = label
        self.folder = folder
        self.now_us = SYSTEM_CLOCK.wall_us() if now_us is None else now_us

    def __repr__(self) -> str:
        took = "" if self.at_work_ms is None else f", {duration(self.at_work_ms)}"
        started = f", {len(self.children):,} commis" if self.children else ""
        calls = counted(self.totals.llm_calls + self.totals.tool_calls, "call")
        return f"<{self.label}: {self.status}{took}, {calls}{started}>"

    def _repr_html_(self) -> str:
        times, totals, known = self.timeline, self.totals, self.summary()
        rows = [
            (name.replace("_", " "), one_line(str(known[name]), 300))
            for name in _TOLD
            if known.get(name)
        ]
        rows += [
            ("status", self.status),
            ("time", "not known" if self.at_work_ms is None else duration(self.at_work_ms)),
            ("LLM", f"{duration(times.llm_ms)} in {counted(totals.llm_calls, 'call')}"),
            ("tools", f"{duration(times.tool_ms)} in {counted(totals.tool_calls, 'call')}"),
            ("tokens", f"{totals.all_tokens:,}"),
            ("commis", f"{len(self.children):,}"),
        ]
        return html_table((), rows)

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Give the JSON object of it in a list."""

    @abstractmethod
    def _commis(self, commis_id: str) -> RunFiles:
        """Read a commis below it; raises CommisNotFoundError."""

    def segment_end_us(self, moment_us: int) -> int | None:  # noqa: ARG002
        """When the stretch of work ended in which something began at a moment; None if unknown."""
        return self.until_us

    def read(self) -> Self:
        """Read what may still be written to, so that all of it is of one moment."""
        self._lines  # noqa: B018 - reads it
        return self

    @cached_property
    def _lines(self) -> tuple[LinesRead[CallStarted], LinesRead[AnyRecord]]:
        # The starts first: a call that ends in between then has a record for its start.
        starts = read_or_say(read_starts, self.folder / STARTED)
        return starts, read_or_say(read_records, self.folder / METRICS)

    @cached_property
    def records(self) -> LinesRead[Record]:
        """Its LLM calls, tool calls and the commis that it started, in the order of their ends."""
        return without_root_runs(self._lines[1])

    @property
    def starts(self) -> LinesRead[CallStarted]:
        """What has begun in it, ended or not."""
        return self._lines[0]

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Its files, relative to its directory."""
        return tuple(list_artifacts(self.folder))

    @cached_property
    def sign_of_life_us(self) -> int | None:
        """When a file of it was last written, or of what runs below it; microseconds since 1970."""
        return self._sign_of_life({self.folder.name}) or None

    def _sign_of_life(self, seen: set[str]) -> int:
        newest = 0
        for name in self.files:
            try:
                newest = max(newest, posix.stat(self.folder / name).st_mtime_ns // 1000)
            except OSError:
                continue
        # Else one that waits for its commis would look dead.
        for start in self.commis_in_flight:
            if len(seen) < BELOW_ASKED and start.commis_id and start.commis_id not in seen:
                seen.add(start.commis_id)
                with suppress(CommisNotFoundError):
                    newest = max(newest, self._commis(start.commis_id)._sign_of_life(seen))
        return newest

    @cached_property
    def unrecorded(self) -> tuple[tuple[Unended, CallStarted], ...]:
        """What has begun and has no record: calls and commis, each with what became of it."""
        recorded = {record.span_id for record in self.records}
        since_us = self.latest_segment_us or 0
        standing: dict[str, Unended] = {"running": "open", "lost": "open", "interrupted": "waiting"}
        latest: Unended = standing.get(self.status, "stopped")
        return tuple(
            (latest if start.start_us >= since_us else "stopped", start)
            for start in self.starts
            if start.span_id not in recorded and start.event != ConciergeRunRecord.event
        )

    def _calls(self, what: Unended) -> tuple[CallStarted, ...]:
        commis = CommisRunRecord.event
        return tuple(one for word, one in self.unrecorded if word == what and one.event != commis)

    @property
    def in_flight(self) -> tuple[CallStarted, ...]:
        """Calls without an end: what it is doing, or was when its process went."""
        return self._calls("open")

    @property
    def commis_in_flight(self) -> tuple[CallStarted, ...]:
        """The same of the commis that it started."""
        commis = CommisRunRecord.event
        return tuple(one for word, one in self.unrecorded if word == "open" and one.event == commis)

    @property
    def waiting(self) -> tuple[CallStarted, ...]:
        """Calls in which it asked a human, if it waits for one."""
        return self._calls("waiting")

    @property
    def stopped(self) -> tuple[CallStarted, ...]:
        """Calls without a record of segments that have ended: each ended with its segment."""
        return self._calls("stopped")

    @property
    def totals(self) -> CommisTotals:
        """Sums over its own calls, without those of its commis."""
        return self.timeline.totals

    @cached_property
    def timeline(self) -> Timeline:
        """Where its time went."""
        unended = [
            (start.start_us, max(start.start_us, self.until_us))
            for start in self.in_flight + self.waiting
        ]
        return timeline(self.records, self.at_work_ms, unended)

    @cached_property
    def children(self) -> tuple[Child, ...]:
        """The commis that it started, each once, by their first start."""
        return self._children()

    def _children(self) -> tuple[Child, ...]:
        runs: list[tuple[str, CommisRunRecord | CallStarted]] = [
            (record.status, record)
            for record in self.records
            if isinstance(record, CommisRunRecord)
        ]
        runs += [
            (self.status if word == "open" else word, start)
            for word, start in self.unrecorded
            if start.event == CommisRunRecord.event
        ]
        found = {
            run.commis_id: Child(run.commis_id, run.job_id, run.name, status)
            for status, run in sorted(runs, key=lambda one: one[1].start_us)
            if run.commis_id is not None
        }
        return tuple(found.values())

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of what its files hold."""
        times, read = self.timeline, self.records
        parts = ("duration_ms", "llm_ms", "tool_ms", "busy_ms", "open_ms", "other_ms")
        return {
            "records": _dicts(read.items),
            "in_flight": _dicts(self.in_flight),
            "waiting": _dicts(self.waiting),
            "stopped": _dicts(self.stopped),
            "children": [asdict(child) for child in self.children],
            "timeline": {part: getattr(times, part) for part in parts},
            "unreadable_lines": read.unreadable,
            "torn_last_line": read.torn,
            "newer_lines": read.newer,
            "folder": str(self.folder),
            "files": list(self.files),
        }


def _dicts(items: Sequence[Record | CallStarted]) -> list[dict[str, Any]]:
    return [item.to_dict() for item in items]
