"""Reading what is shown of a commis, finished or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from zerg_visibility.analysis.timeline import Timeline, timeline, union_us
from zerg_visibility.clock import SYSTEM_CLOCK, parse_us
from zerg_visibility.errors import CommisNotFoundError
from zerg_visibility.records import CallStart, Record
from zerg_visibility.store.commis import CommisStore
from zerg_visibility.store.layout import METRICS, STARTED, job_number
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.store.reading import (
    LinesRead,
    in_flight,
    read_or_say,
    read_records,
    read_starts,
)

UNENDED = frozenset({"running", "lost"})
"""How a commis stands that has not written down its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommisView:
    """All that is shown of one commis.

    Args:
        metadata: What is known of it as a whole, its totals up to date.
        read: Its records.
        in_flight: Calls that began and have no record.
        times: Where its time went.
        open_us: Microseconds in which only a call without an end ran; 0 where that cannot be known.
        taken_ms: Milliseconds at work, or passed if it has not ended; None if not known.
        start_us: When it began, in microseconds since 1970.
        until_us: When it ended, or how far it is known to have run.
        sign_of_life_us: When one of its files was last written.
        now_us: When this was read.
        folder: Its directory.
        files: The files in it, relative to the directory.
    """

    metadata: CommisMetadata
    read: LinesRead[Record]
    in_flight: tuple[CallStart, ...]
    times: Timeline
    open_us: int
    taken_ms: int | None
    start_us: int
    until_us: int
    sign_of_life_us: int | None
    now_us: int
    folder: Path
    files: tuple[str, ...]

    @property
    def open_ms(self) -> int:
        """Whole milliseconds in which only a call without an end ran."""
        return self.open_us // 1000

    @property
    def other_us(self) -> int:
        """Microseconds in which no call ran, as far as can be known."""
        return max(0, self.times.other_us - self.open_us)

    @property
    def other_ms(self) -> int:
        """The same in whole milliseconds."""
        return max(0, self.times.other_ms - self.open_ms)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of `show --json`."""
        return {
            "metadata": self.metadata.to_dict(),
            "records": [record.to_dict() for record in self.read.items],
            "in_flight": [start.to_dict() for start in self.in_flight],
            "timeline": {
                "duration_ms": self.times.duration_ms,
                "llm_ms": self.times.llm_ms,
                "tool_ms": self.times.tool_ms,
                "busy_ms": self.times.busy_ms,
                "open_ms": self.open_ms,
                "other_ms": self.other_ms,
            },
            "unreadable_lines": self.read.unreadable,
            "torn_last_line": self.read.torn,
            "folder": str(self.folder),
            "files": list(self.files),
        }


def view_commis(store: CommisStore, job: str) -> CommisView:
    """Read all that is shown of a commis.

    Args:
        store: Where it lies.
        job: A job id or commis id, as a user typed it.

    Raises:
        CommisNotFoundError: There is none; the message names the latest jobs.
    """
    try:
        commis_id = store.find(job)
    except CommisNotFoundError as error:
        latest = ", ".join(str(item.job_id) for item in islice(store.recent(), 5))
        hint = f"Latest jobs: {latest}." if latest else "It holds none yet."
        raise CommisNotFoundError(f"{error}. {hint}") from error
    metadata = store.metadata_or_stub(commis_id, job_number(job))
    now_us = SYSTEM_CLOCK.wall_us()
    read = records_of(store, commis_id)
    starts = read_or_say(read_starts, store.folder(commis_id) / STARTED)
    until_us = known_until_us(store, metadata, now_us)
    worked_ms = taken_ms(store, metadata, now_us)
    running = in_flight(starts, read)
    times = timeline(read.items, worked_ms)
    may_hang = metadata.status != "success"
    return CommisView(
        metadata=with_totals(metadata, read),
        read=read,
        in_flight=running,
        times=times,
        open_us=_open_us(times, running, until_us) if may_hang else 0,
        taken_ms=worked_ms,
        start_us=_first_us(metadata, read, starts) or until_us,
        until_us=until_us,
        sign_of_life_us=store.last_sign_of_life(commis_id),
        now_us=now_us,
        folder=store.folder(commis_id),
        files=tuple(store.files(commis_id)),
    )


def records_of(store: CommisStore, commis_id: str) -> LinesRead[Record]:
    """Read a commis's records; if its file cannot be read, there are none but a remark on it."""
    return read_or_say(read_records, store.folder(commis_id) / METRICS)


def with_totals(metadata: CommisMetadata, read: LinesRead[Record]) -> CommisMetadata:
    """Add up the calls of a commis that has not written its totals."""
    if metadata.status not in UNENDED:
        return metadata
    return replace(metadata, totals=CommisTotals.of(read.items))


def known_until_us(store: CommisStore, metadata: CommisMetadata, now_us: int) -> int:
    """Say when a commis ended, or up to when it is known to have run.

    Args:
        store: Where it lies.
        metadata: Which.
        now_us: Microseconds since 1970: up to when a running one runs.
    """
    if metadata.status == "running":
        return now_us
    if metadata.finished_at is not None and metadata.status != "lost":
        return parse_us(metadata.finished_at)
    return store.last_sign_of_life(metadata.commis_id) or metadata.started_us or now_us


def taken_ms(store: CommisStore, metadata: CommisMetadata, now_us: int) -> int | None:
    """Say how long a commis was at work, or has been so far; None if that is not known.

    Args:
        store: Where it lies.
        metadata: Which.
        now_us: Microseconds since 1970: up to when a running one runs.
    """
    if metadata.status == "lost":
        return metadata.worked_ms(store.last_sign_of_life(metadata.commis_id))
    return metadata.worked_ms(known_until_us(store, metadata, now_us))


def _first_us(
    metadata: CommisMetadata, read: LinesRead[Record], starts: LinesRead[CallStart]
) -> int | None:
    moments = [record.start_us for record in read.items]
    moments += [start.start_us for start in starts.items]
    if metadata.started_us is not None:
        moments.append(metadata.started_us)
    return min(moments, default=None)


def _open_us(times: Timeline, running: tuple[CallStart, ...], until_us: int) -> int:
    ended = [(call.start_us, call.end_us) for call in times.calls]
    begun = [(start.start_us, max(start.start_us, until_us)) for start in running]
    return union_us(ended + begun) - union_us(ended)
