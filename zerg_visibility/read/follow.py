"""Following commis while they are at work: what is new since the last look."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import orjson

from zerg_visibility.clock import SYSTEM_CLOCK, Clock, parse_us
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import CommisNotFoundError, MetadataUnreadableError
from zerg_visibility.records.base import UnknownEventError
from zerg_visibility.records.codec import Record, record_from_dict
from zerg_visibility.store.layout import METADATA, METRICS
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.reading import MAX_LINE_BYTES

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
class CommisStarted:
    """A commis began, was resumed, or was found at work when following began.

    Args:
        commis: Its metadata.
        resumed: Whether it was seen before, and is at work again after an interrupt or a failure.
        at_us: When, in microseconds since 1970.
    """

    commis: CommisMetadata
    resumed: bool
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSeen:
    """A commis wrote a record.

    Args:
        commis: Whose file it stands in.
        record: The record.
        line: The line as it stands in the file.
        at_us: When it ended, in microseconds since 1970.
    """

    commis: CommisMetadata
    record: Record
    line: bytes
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineUnreadable:
    """A finished line of a commis's metrics.jsonl is not a record.

    Args:
        commis: Whose file it stands in.
        at_us: When it was found, in microseconds since 1970.
    """

    commis: CommisMetadata
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommisEnded:
    """A commis is no longer at work, for now or for good; its status says why.

    Args:
        commis: Its metadata.
        at_us: When, in microseconds since 1970.
    """

    commis: CommisMetadata
    at_us: int


News: TypeAlias = CommisStarted | RecordSeen | LineUnreadable | CommisEnded


class LineCursor:
    """Reads the whole lines that were appended to a file since it was last read.

    A file that shrank, vanished or was replaced is read anew; an unfinished last line waits.

    Args:
        path: The file; it need not exist yet.
        at_end: Whether to pass over what is in it now.
    """

    def __init__(self, path: Path, *, at_end: bool = False) -> None:
        self._path = path
        self._offset = 0
        self._inode: int | None = None
        if at_end:
            for _ in self.new_lines():
                pass

    def new_lines(self) -> Iterator[bytes]:
        """Yield the new lines; one of more than 10 MB comes in pieces."""
        try:
            status = self._path.stat()
        except OSError:
            self._offset = 0
            return
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._offset, self._inode = 0, status.st_ino
        if status.st_size == self._offset:
            return
        try:
            file = self._path.open("rb")
        except OSError:
            return
        with file:
            file.seek(self._offset)
            while line := file.readline(MAX_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
                    return
                self._offset += len(line)
                yield line


class Follower:
    """Finds what commis of a store did since the last poll, at a cost per commis at work.

    One thread may use it. Nothing needs to exist yet, not even the root.

    Args:
        store: Whose commis to follow.
        from_start: Whether to tell everything that is there already, from job 1 on.
        clock: Where times come from.
    """

    def __init__(
        self, store: CommisStore, *, from_start: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = store
        self._clock = clock
        self._newest = store.newest_job()
        self._there_before = self._newest
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
        self._forget_oldest()
        # Merging rather than sorting keeps the order within a commis, whatever its clocks say.
        return list(heapq.merge(*per_commis, key=lambda item: item.at_us))

    def _discover(self) -> None:
        self._newest = self._store.newest_job()
        if self._newest < self._next - 1:  # the store was emptied and begun anew
            self._next, self._old, self._there_before = 1, 0, 0
            self._followed.clear()
            self._pending.clear()
        now = self._clock.monotonic_ns() / 1e9
        for job_id in range(self._next, min(self._newest, self._next + JOBS_PER_POLL - 1) + 1):
            # A number that was there before has lost its commis for good.
            self._pending[job_id] = now + (PENDING_S if job_id > self._there_before else 0)
            self._next = job_id + 1
        for job_id, deadline in list(self._pending.items()):
            try:
                commis_id = self._store.find(job_id)
            except (
                CommisNotFoundError,
                PermissionError,
            ):  # one that may not be read hides no other
                if now >= deadline:
                    del self._pending[job_id]
                continue
            del self._pending[job_id]
            self._followed[job_id] = _Followed(
                self._store, self._clock, job_id, commis_id, known=job_id <= self._old
            )

    def _forget_oldest(self) -> None:
        idle = [job_id for job_id, followed in self._followed.items() if not followed.at_work]
        for job_id in idle[: max(0, len(idle) - MAX_ENDED)]:
            del self._followed[job_id]


class _Followed:
    """One commis, as it was when last looked at."""

    def __init__(
        self, store: CommisStore, clock: Clock, job_id: int, commis_id: str, *, known: bool
    ) -> None:
        folder = store.folder(commis_id)
        self._store = store
        self._clock = clock
        self._job_id = job_id
        self._commis_id = commis_id
        self._metadata_path = folder / METADATA
        self._signature = (0, 0, 0)  # inode, modification, size of metadata.json
        self._written: CommisMetadata | None = None
        self._seen: CommisMetadata | None = None
        self._read_until = 0.0
        # Of a commis that was there before, only what comes from now on is news.
        self._cursor = LineCursor(folder / METRICS, at_end=known)
        if known:
            self._refresh()
            # One at work is announced all the same: it may hang and never say anything again.
            if self._seen is not None and self._seen.status == "running":
                self._seen = None

    @property
    def at_work(self) -> bool:
        return self._seen is not None and self._seen.status == "running"

    def look(self) -> list[News]:
        before = self._seen
        changed = self._refresh()
        seen = self._seen
        if seen is None:
            return []
        news: list[News] = []
        if before is None:
            at_us = seen.started_us or self._clock.wall_us()
            news.append(CommisStarted(commis=seen, resumed=False, at_us=at_us))
        elif changed and seen.segments > before.segments:
            # Only the first start is written down; a later one rewrites the file.
            at_us = self._signature[1] // 1000
            news.append(CommisStarted(commis=seen, resumed=True, at_us=at_us))
        now = self._clock.monotonic_ns() / 1e9
        was_at_work = bool(news) or (before is not None and before.status == "running")
        if self.at_work or was_at_work:
            self._read_until = now + GRACE_S
        if now < self._read_until:
            # metadata.json was read first: it says "ended" only after the last record was written.
            news.extend(self._new_records(seen))
        if was_at_work and not self.at_work:
            news.append(CommisEnded(commis=seen, at_us=self._end_us(seen)))
        return news

    def _refresh(self) -> bool:
        """Read metadata.json if it is another one than last time; say whether it is."""
        try:
            status = os.stat(self._metadata_path)  # noqa: PTH116 - once a poll for each commis
        except OSError:
            return False
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        changed = signature != self._signature
        if changed:
            try:
                written = self._store.written_metadata(self._commis_id)
            except MetadataUnreadableError:
                return False
            self._written = replace(written, job_id=self._job_id)
            self._signature = signature
        if self._written is not None:
            self._seen = self._written.seen_now()
        return changed

    def _new_records(self, seen: CommisMetadata) -> Iterator[News]:
        for line in self._cursor.new_lines():
            if not line.strip():
                continue
            try:
                record = record_from_dict(orjson.loads(line))
            except UnknownEventError:
                continue  # a newer version's, which has nothing to say here
            except (ValueError, TypeError, AttributeError):
                yield LineUnreadable(commis=seen, at_us=self._clock.wall_us())
            else:
                yield RecordSeen(commis=seen, record=record, line=line, at_us=record.end_us)

    def _end_us(self, seen: CommisMetadata) -> int:
        if seen.finished_at is not None and seen.status != "lost":
            return parse_us(seen.finished_at)
        return self._store.last_sign_of_life(self._commis_id) or self._clock.wall_us()
