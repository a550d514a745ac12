"""One commis as it stands, worked out in one place for the tools and for the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zerg_visibility.clock import parse_us
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.read.timeline import Timeline, timeline
from zerg_visibility.records.codec import Record
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import UNENDED
from zerg_visibility.store.layout import METRICS, STARTED
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.store.reading import (
    LinesRead,
    OpenCalls,
    open_calls,
    read_or_say,
    read_records,
    read_starts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommisNow:
    """A commis as it stands at one moment; each of its files was read once.

    Args:
        metadata: What is known of it as a whole, its totals up to date.
        read: Its records.
        calls: Its calls without a record.
        times: Where its time went.
        at_work_ms: Milliseconds at work, or passed if it has not ended; None if not known.
        start_us: When it began, in microseconds since 1970.
        until_us: When it ended or began to wait, or how far it is known to have run.
        sign_of_life_us: When one of its files was last written.
        now_us: When this was read.
    """

    metadata: CommisMetadata
    read: LinesRead[Record]
    calls: OpenCalls
    times: Timeline
    at_work_ms: int | None
    start_us: int
    until_us: int
    sign_of_life_us: int | None
    now_us: int


def look_at(store: CommisStore, metadata: CommisMetadata, now_us: int) -> CommisNow:
    """Read how a commis stands.

    Args:
        store: Where it lies.
        metadata: What is known of it, or the store's stub.
        now_us: Microseconds since 1970: up to when a running one runs.
    """
    folder = store.folder(metadata.commis_id)
    starts = read_or_say(read_starts, folder / STARTED)
    read = records_of(store, metadata.commis_id)
    calls = open_calls(starts.items, read.items, metadata)
    until_us = _known_until_us(store, metadata, now_us)
    worked_ms = metadata.worked_ms(until_us)
    unended = [
        (start.start_us, max(start.start_us, until_us)) for start in calls.in_flight + calls.waiting
    ]
    return CommisNow(
        metadata=with_totals(metadata, read),
        read=read,
        calls=calls,
        times=timeline(read.items, worked_ms, unended),
        at_work_ms=worked_ms,
        start_us=_first_us(metadata, read.items, starts.items) or until_us,
        until_us=until_us,
        sign_of_life_us=store.last_sign_of_life(metadata.commis_id),
        now_us=now_us,
    )


def up_to_date(store: CommisStore, metadata: CommisMetadata) -> CommisMetadata:
    """Add up the calls of a commis that has not written its totals; any other one is as it was."""
    if metadata.status not in UNENDED:
        return metadata  # without reading a metrics.jsonl, which would make a long list slow
    return with_totals(metadata, records_of(store, metadata.commis_id))


def with_totals(metadata: CommisMetadata, read: LinesRead[Record]) -> CommisMetadata:
    """Add up records that were read already, for a commis that has not written its totals."""
    if metadata.status not in UNENDED or read.problem is not None:
        return metadata
    return replace(metadata, totals=CommisTotals.of(read.items))


def at_work_ms(store: CommisStore, metadata: CommisMetadata, now_us: int) -> int | None:
    """Say how long a commis was at work, or has been so far; None if that is not known.

    Args:
        store: Where it lies.
        metadata: Which.
        now_us: Microseconds since 1970: up to when a running one runs.
    """
    return metadata.worked_ms(_known_until_us(store, metadata, now_us))


def records_of(store: CommisStore, commis_id: str) -> LinesRead[Record]:
    """Read a commis's records; if its file cannot be read, there are none but a remark on it."""
    return read_or_say(read_records, store.folder(commis_id) / METRICS)


def _known_until_us(store: CommisStore, metadata: CommisMetadata, now_us: int) -> int:
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


def _first_us(
    metadata: CommisMetadata, records: Iterable[Record], starts: Iterable[CallStarted]
) -> int | None:
    moments = [record.start_us for record in records]
    moments += [start.start_us for start in starts]
    if metadata.started_us is not None:
        moments.append(metadata.started_us)
    return min(moments, default=None)
