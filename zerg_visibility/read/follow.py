"""Following commis while they are at work: what is new since the last look."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from zerg_visibility.clock import SYSTEM_CLOCK, Clock
from zerg_visibility.errors import CommisNotFoundError, MetadataUnreadableError
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.cursor import LineCursor
from zerg_visibility.records.base import UnknownEventError
from zerg_visibility.records.codec import Record, record_from_dict
from zerg_visibility.records.runs import ConciergeRunRecord
from zerg_visibility.store.directory import StoreDirectory
from zerg_visibility.store.files import FileVersion
from zerg_visibility.store.layout import METRICS
from zerg_visibility.store.metadata import CommisMetadata

GRACE_S = 10.0
"""A commis that ended is read on for so long: a tool that outlived a timeout reports late."""

PENDING_S = 10.0
"""A job number whose file is still empty is asked for again for so long."""

MAX_ENDED = 1000
"""Commis that ended and may be resumed: so many are watched, at one `stat` a poll; then the oldest
is forgotten. As many existing ones are looked at to begin with."""

JOBS_PER_POLL = 200
"""Newly found jobs taken in by one poll, which bounds the memory of replaying a large store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a commis did: its metadata, and when, in microseconds since 1970.

    It began or was found at work when following began (`resumed` if it was seen before), wrote a
    record (with the line as it stands in the file) or a line that is none, or is no longer at work,
    for now or for good; its status says why.
    """

    event: Literal["commis_started", "record", "line_unreadable", "commis_ended"]
    commis: CommisMetadata
    at_us: int
    resumed: bool = False
    record: Record | None = None
    line: bytes = b""


class Follower:
    """Finds what commis of a store did since the last poll, at a cost per commis at work.

    One thread may use it. Nothing needs to exist yet, not even the root. `from_start` tells all
    that is there already, from job 1 on.
    """

    def __init__(
        self, store: StoreDirectory, *, from_start: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = store
        self._clock = clock
        self._newest = store.newest_job()
        self._old = 0 if from_start else self._newest
        self._next = 1 if from_start else max(1, self._newest - MAX_ENDED + 1)
        self._pending: dict[int, float] = {}
        self._followed: dict[int, _Followed] = {}

    @property
    def at_work(self) -> bool:
        """Whether a commis was at work at the last poll."""
        return any(followed.at_work for followed in self._followed.values())

    @property
    def behind(self) -> bool:
        """Whether there is more to tell that another poll would find at once."""
        return self._next <= self._newest

    def poll(self) -> list[News]:
        """Give what is new, in the order in which it happened.

        Raises:
            OSError: The store may not be read.
        """
        self._discover()
        per_commis = [followed.look() for followed in self._followed.values()]
        idle = [job_id for job_id, followed in self._followed.items() if not followed.at_work]
        for job_id in idle[: max(0, len(idle) - MAX_ENDED)]:
            del self._followed[job_id]
        # Merging rather than sorting keeps the order within a commis, whatever its clocks say.
        return list(heapq.merge(*per_commis, key=lambda item: item.at_us))

    def _discover(self) -> None:
        self._newest = self._store.newest_job()
        if self._newest < self._next - 1:  # the store was emptied and begun anew
            self._next, self._old = 1, 0
            self._followed.clear()
            self._pending.clear()
        now = self._clock.monotonic_ns() / 1e9
        for job_id in range(self._next, min(self._newest, self._next + JOBS_PER_POLL - 1) + 1):
            # A number that was there before has lost its commis for good.
            self._pending[job_id] = now + (PENDING_S if job_id > self._old else 0)
            self._next = job_id + 1
        for job_id, deadline in list(self._pending.items()):
            try:
                commis_id = self._store.find(job_id)
            except (CommisNotFoundError, PermissionError):
                # One that may not be read hides no other.
                if now < deadline:
                    continue
            else:
                self._followed[job_id] = _Followed(
                    self._store, self._clock, job_id, commis_id, known=job_id <= self._old
                )
            del self._pending[job_id]


class _Followed:
    """One commis, as it was when last looked at."""

    def __init__(
        self, store: StoreDirectory, clock: Clock, job_id: int, commis_id: str, *, known: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._job_id = job_id
        self._commis_id = commis_id
        self._version: FileVersion | None = None
        self._written: CommisMetadata | None = None
        self._seen: CommisMetadata | None = None
        self._read_until = 0.0
        # Of a commis that was there before, only what comes from now on is news.
        self._cursor = LineCursor(store.folder(commis_id) / METRICS, at_end=known)
        if known:
            self._refresh()
            # One at work is announced all the same: it may hang and never say anything again.
            if self.at_work:
                self._seen = None

    @property
    def at_work(self) -> bool:
        return self._seen is not None and self._seen.status == "running"

    def look(self) -> list[News]:
        before = self._seen
        self._refresh()
        seen = self._seen
        if seen is None:
            return []
        news: list[News] = []
        if before is None or seen.segments > before.segments:
            started_us = seen.started_us if before is None else seen.segment_started_us
            at_us = started_us or self._clock.wall_us()
            resumed = before is not None
            news.append(News(event="commis_started", commis=seen, at_us=at_us, resumed=resumed))
        now = self._clock.monotonic_ns() / 1e9
        was_at_work = bool(news) or (before is not None and before.status == "running")
        if self.at_work or was_at_work:
            self._read_until = now + GRACE_S
        if now < self._read_until:
            # metadata.json was read first: it says "ended" only after the last record was written.
            news.extend(self._new_records(seen))
        if was_at_work and not self.at_work:
            at_us = Commis(self._store, seen, self._clock.wall_us()).until_us
            news.append(News(event="commis_ended", commis=seen, at_us=at_us))
        return news

    def _refresh(self) -> None:
        """Read metadata.json if it is another one than last time, and ask after its process."""
        version = self._store.metadata_version(self._commis_id)
        if version is not None and version != self._version:
            try:
                written = self._store.written_metadata(self._commis_id)
            except MetadataUnreadableError:
                return
            self._written = replace(written, job_id=self._job_id)
            self._version = version
        if self._written is not None:
            self._seen = self._written.seen_now()

    def _new_records(self, seen: CommisMetadata) -> Iterator[News]:
        for line in self._cursor.new_lines():
            if not line.strip():
                continue
            try:
                record = record_from_dict(orjson.loads(line))
            except UnknownEventError:
                continue  # a newer version's, which has nothing to say here
            except (ValueError, TypeError, AttributeError):
                yield News(event="line_unreadable", commis=seen, at_us=self._clock.wall_us())
            else:
                if not isinstance(record, ConciergeRunRecord):
                    at_us = record.end_us
                    yield News(event="record", commis=seen, at_us=at_us, record=record, line=line)
