"""One run as its files tell it: what a commis and a root run of a concierge have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.read.timeline import Timeline, timeline
from zerg_visibility.records.codec import AnyRecord, Record
from zerg_visibility.records.runs import CommisRunRecord, ConciergeRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import UNENDED
from zerg_visibility.store.artifacts import list_artifacts
from zerg_visibility.store.layout import METRICS, STARTED
from zerg_visibility.store.reading import (
    LinesRead,
    read_or_say,
    read_records,
    read_starts,
    without_root_runs,
)
from zerg_visibility.store.system import posix


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A commis that a run started, as that run's own files tell it.

    Args:
        commis_id: Its id, which anything may stand for; None if the line names none.
        job_id: Its number.
        name: Its name.
        status: How its latest segment that this run knows of ended, or how it stands.
    """

    commis_id: str | None
    job_id: int | None
    name: str
    status: str


class RunFiles(ABC):
    """One run as it stands at one moment; each of its files is read once, when it is asked for.

    Args:
        folder: Its directory.
        now_us: Microseconds since 1970: up to when a running one runs; now if not given.
    """

    def __init__(self, folder: Path, now_us: int | None = None) -> None:
        self.folder = folder
        self.now_us = SYSTEM_CLOCK.wall_us() if now_us is None else now_us

    # -- what each kind of run says of itself ----------------------------------------------------

    @property
    @abstractmethod
    def status(self) -> str:
        """How it stands."""

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

    @property
    def segments(self) -> int:
        """Its stretches of work."""
        return 1

    def _latest_segment_us(self) -> int | None:
        """When its latest stretch of work began."""
        return None

    def segment_end_us(self, moment_us: int) -> int | None:  # noqa: ARG002
        """When the stretch of work ended in which something began at a moment; None if unknown."""
        return None if self.status in UNENDED else self.until_us

    # -- what is read ----------------------------------------------------------------------------

    def read(self) -> None:
        """Read what may still be written to, so that all of it is of one moment."""
        self._lines  # noqa: B018 - reads it

    @cached_property
    def _lines(self) -> tuple[LinesRead[CallStarted], LinesRead[AnyRecord]]:
        # The starts first: a call that ends in between then has a record for its start.
        starts = read_or_say(read_starts, self.folder / STARTED)
        return starts, read_or_say(read_records, self.folder / METRICS)

    @cached_property
    def records(self) -> LinesRead[Record]:
        """Its LLM calls, tool calls and the commis that it started, in the order of their ends."""
        return without_root_runs(self._lines[1])

    @cached_property
    def starts(self) -> LinesRead[CallStarted]:
        """What has begun in it, ended or not."""
        return self._lines[0]

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Its files, relative to its directory."""
        return tuple(list_artifacts(self.folder))

    @cached_property
    def sign_of_life_us(self) -> int | None:
        """When one of its files was last written, in microseconds since 1970."""
        newest = 0
        for name in self.files:
            try:
                newest = max(newest, posix.stat(self.folder / name).st_mtime_ns // 1000)
            except OSError:
                continue
        return newest or None

    # -- what follows from it --------------------------------------------------------------------

    @cached_property
    def _unrecorded(self) -> tuple[CallStarted, ...]:
        recorded = {record.span_id for record in self.records}
        return tuple(
            start
            for start in self.starts
            if start.span_id not in recorded and start.event != ConciergeRunRecord.event
        )

    def _of_latest_segment(self, *, latest: bool, commis: bool) -> tuple[CallStarted, ...]:
        since_us = self._latest_segment_us() or 0
        return tuple(
            start
            for start in self._unrecorded
            if (start.start_us >= since_us) is latest
            and (start.event == CommisRunRecord.event) is commis
        )

    @property
    def in_flight(self) -> tuple[CallStarted, ...]:
        """Calls without an end: what it is doing, or was when its process went."""
        return self._of_latest_segment(latest=True, commis=False) if self._is_unended else ()

    @property
    def running_commis(self) -> tuple[CallStarted, ...]:
        """The same of the commis that it started."""
        return self._of_latest_segment(latest=True, commis=True) if self._is_unended else ()

    @property
    def waiting(self) -> tuple[CallStarted, ...]:
        """Calls in which it asked a human, if it waits for one."""
        is_waiting = self.status == "interrupted"
        return self._of_latest_segment(latest=True, commis=False) if is_waiting else ()

    @property
    def stopped(self) -> tuple[CallStarted, ...]:
        """What has no end of its own, of segments that have ended: each ended with its segment."""
        others = {start.span_id for start in self.in_flight + self.running_commis + self.waiting}
        return tuple(start for start in self._unrecorded if start.span_id not in others)

    @property
    def _is_unended(self) -> bool:
        return self.status in UNENDED

    @cached_property
    def timeline(self) -> Timeline:
        """Where its time went."""
        until_us = self.until_us
        unended = [
            (start.start_us, max(start.start_us, until_us))
            for start in self.in_flight + self.waiting
        ]
        return timeline(self.records, self.at_work_ms, unended)

    @cached_property
    def children(self) -> tuple[Child, ...]:
        """The commis that it started, each once, by their first start."""
        found: dict[str | None, Child] = {}
        for line, status in self._commis_lines():
            job_id = line.job_id
            child = Child(commis_id=line.commis_id, job_id=job_id, name=line.name, status=status)
            found[line.commis_id] = child
        return tuple(child for commis_id, child in found.items() if commis_id is not None)

    def _commis_lines(self) -> Iterator[tuple[CommisRunRecord | CallStarted, str]]:
        runs = [record for record in self.records if isinstance(record, CommisRunRecord)]
        for run in sorted(runs, key=lambda run: run.start_us):
            yield run, run.status
        for start in self.running_commis:
            yield start, self.status

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of what its files hold."""
        times, read = self.timeline, self.records
        return {
            "records": [record.to_dict() for record in read],
            "in_flight": [start.to_dict() for start in self.in_flight],
            "waiting": [start.to_dict() for start in self.waiting],
            "stopped": [start.to_dict() for start in self.stopped],
            "running_commis": [start.to_dict() for start in self.running_commis],
            "timeline": {
                "duration_ms": times.duration_ms,
                "llm_ms": times.llm_ms,
                "tool_ms": times.tool_ms,
                "busy_ms": times.busy_ms,
                "open_ms": times.open_ms,
                "other_ms": times.other_ms,
            },
            "unreadable_lines": read.unreadable,
            "torn_last_line": read.torn,
            "newer_lines": read.newer,
            "folder": str(self.folder),
            "files": list(self.files),
        }
