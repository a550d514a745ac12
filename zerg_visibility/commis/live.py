"""One commis and its directory, over all the segments that this process runs of it."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

from zerg_visibility.callbacks.runs import ActiveSegment
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.errors import MetadataUnreadableError
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.redaction import Redact
from zerg_visibility.run_log import RunLog
from zerg_visibility.status import UNENDED
from zerg_visibility.store import layout
from zerg_visibility.store.files import FileVersion
from zerg_visibility.store.liveness import this_process
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals, DescendantTotals
from zerg_visibility.store.reading import read_or_say, read_starts
from zerg_visibility.store.runs import SegmentRun, kept

RETRY_AFTER_S = 1.0
"""A directory that could not be made is tried again after this many seconds."""

MAX_CHILDREN = 10_000
"""Commis started by one whose sums are told apart; any more are added up each time they end."""

_CAPTURED_AS = {layout.RESULT: "result", layout.THREAD: "messages"}


class LiveCommis(RunLog):
    """A commis as this process knows it: what its files say, and who works on it.

    There is one for each commis as long as anybody refers to it. Safe to use from several threads:
    a retry may start while the attempt before it still winds up. The lock guards what is in memory
    and the order of records. metadata.json is written outside of it, and once more by whoever finds
    that there was news meanwhile.

    What begins, ends or keeps something raises OSError if a file could not be written.

    The `metadata` is that of a new one; without a job id, its directory is still to be made. There
    is none for one that goes on from what is stored of it.
    """

    outer: LiveCommis | None = None
    """The commis that started its latest segment."""
    _written: FileVersion | None = None
    _written_dropped = 0
    _saves = 0
    _worked_us = 0
    _captured: Collection[str] = ()
    _latest: ActiveSegment | None = None

    def __init__(
        self,
        store: CommisStore,
        commis_id: str,
        diagnostics: Diagnostics,
        metadata: CommisMetadata | None = None,
    ) -> None:
        super().__init__(store, str)
        self.commis_id = commis_id
        # Totals and the like are added whenever somebody asks for it, or it is written.
        self._known = metadata or CommisMetadata(commis_id=commis_id, status="lost")
        self._is_read = metadata is not None
        self._diagnostics = diagnostics
        self._tried_at = time.monotonic()
        self._segments: list[ActiveSegment] = []
        self._children: dict[str, DescendantTotals] = {}
        self._more_children = DescendantTotals()
        if metadata is None or metadata.job_id is not None:
            self.open(store.folder(commis_id))

    @property
    def metadata(self) -> CommisMetadata:
        """What is known of it now."""
        return replace(
            self._known,
            totals=self.totals,
            descendants=self._descendants(),
            dropped_records=self.dropped,
        )

    @property
    def job_id(self) -> int | None:
        """Its number for the concierge; None if it could not be given one yet."""
        return self._known.job_id

    @property
    def is_idle(self) -> bool:
        """Whether none of its segments is running or about to."""
        return not self._segments

    def runs_in(self, execution: object) -> bool:
        """Say whether one of its segments is running that belongs to an execution of a task."""
        return execution is not None and any(
            segment.execution is execution for segment in list(self._segments)
        )

    def expect(self, segment: ActiveSegment, redact: Redact, capture: Collection[str]) -> None:
        """Note that a segment is about to start, what it hides, and stores beside metrics."""
        self._segments.append(segment)
        self.redact = redact
        self._captured = capture
        self.stores_starts = "starts" in capture
        self.stores_inputs = "tool_inputs" in capture
        self.stores_outputs = "tool_outputs" in capture and self._store.keeps_files

    def begin(self, segment: ActiveSegment, run: SegmentRun, *, is_first: bool) -> None:
        """Note that a segment starts; `is_first` if the commis was made for it."""
        mark = this_process()
        problem = None if is_first else self._read_news(segment)
        if problem is not None:
            self._diagnostics.note("read what is stored of a commis that continues", problem)
        self.make_folder()
        around = None if segment.outer is None else segment.outer.run_log
        with self._lock:
            self.outer = around if isinstance(around, LiveCommis) else None
            self._latest = segment
            known = self._known
            again = 0 if is_first or known.status == "interrupted" else 1
            self._known = replace(
                known,
                status="running",
                finished_at=None,
                error=None,
                segments=known.segments + (not is_first),
                attempts=known.attempts + again,
                started_at=known.started_at or run.start_ts,
                segment_started_at=run.start_ts,
                runs=kept((*known.runs, run)),
                pid=mark.pid,
                pid_started=mark.pid_started,
                host=mark.host,
            )
            segment.name, segment.job_id = known.name, known.job_id
            segment.attempt = self._known.attempts
        self._save(is_mine=True)

    def end(
        self, segment: ActiveSegment, record: CommisRunRecord, worked_us: int, asked: str | None
    ) -> None:
        """Note that a segment has ended, and how; `asked` is what it waits for a human to say."""
        with self._lock:
            if segment in self._segments:
                self._segments.remove(segment)
            self._worked_us += worked_us
            known = self._known
            started_us = known.started_us or record.start_us
            # One that began later says how the commis is, though it may have ended before.
            if self._latest is segment:
                known = replace(
                    known, status=record.status, error=record.error, finished_at=record.end_ts
                )
            self._known = replace(
                known,
                duration_ms=self._worked_us // 1000,
                wall_ms=max(known.wall_ms or 0, (record.end_us - started_us) // 1000),
                runs=tuple(
                    replace(run, end_ts=record.end_ts, status=record.status, asked=asked)
                    if run.span_id == record.span_id
                    else run
                    for run in known.runs
                ),
            )
        try:
            self.save_late()
        finally:
            with self._lock:  # else the next one may have begun in between
                is_over = self.is_idle
                if is_over:
                    self._latest = None  # nobody asks any more, and it refers to us
            if is_over:
                self.close()

    def save_late(self) -> None:
        """Write metadata.json as things stand, and those of outer ones that have ended already."""
        outer = self.outer
        if outer is not None:
            outer.note_child(self.commis_id, self.metadata)
        try:
            self.make_folder()
            self._save()
        finally:
            if outer is not None and outer.is_idle:
                outer.save_late()

    def note_late(self, _: Record) -> None:
        """Tell of a call that came after the end: of a tool that nobody could stop in time."""
        with self._diagnostics.guard("add up a late call"):
            self.save_late()

    def note_child(self, commis_id: str, metadata: CommisMetadata) -> None:
        """Take in the latest sums of a commis that this one has started; it counts once."""
        below = DescendantTotals.of(metadata)
        with self._lock:
            if commis_id in self._children or len(self._children) < MAX_CHILDREN:
                self._children[commis_id] = below
            else:
                self._more_children = DescendantTotals.sum_of([below, self._more_children])

    def keeps(self, name: str) -> bool:
        """Say whether a file that a segment may leave is wanted, by its name in `layout`."""
        return _CAPTURED_AS[name] in self._captured

    def keep(self, segment: ActiveSegment, name: str, text: str) -> None:
        """Write what a segment leaves, unless a later one has begun, here or elsewhere."""
        with self._lock:
            if self._latest is segment and self.is_open and not self._is_continued_elsewhere():
                self._store.save_text(self.commis_id, name, text)

    def make_folder(self) -> None:
        """Make the directory after all, if it could not be made at first."""
        try:
            with self._lock:  # one thread makes it
                now = time.monotonic()
                if self.is_open or now - self._tried_at < RETRY_AFTER_S:
                    return
                self._tried_at = now
                job_id = self._store.create_as(self.commis_id)
                self._known = replace(self._known, job_id=job_id)
                self.open(self._store.folder(self.commis_id))
        except Exception as error:
            # Without our lock: a thread that writes the log may have to wait for that.
            self._diagnostics.note("create a commis's directory", error)

    def _descendants(self) -> DescendantTotals | None:
        if not self._children:
            return None
        return DescendantTotals.sum_of([*self._children.values(), self._more_children])

    def _save(self, *, is_mine: bool = False) -> None:
        """Write metadata.json, unless another process has gone on; it has not if it is ours."""
        if not self.is_open:
            return
        with self._lock:
            self._saves += 1
        while True:
            saves, metadata = self._saves, self.metadata
            if not is_mine and self._is_continued_elsewhere():
                return  # whoever it is reads metrics.jsonl, and has more to say than this one
            self._written = self._store.save_metadata(metadata)
            self._written_dropped = metadata.dropped_records
            if saves == self._saves:
                return
            # What another thread has written meanwhile may be undone by this; it holds no less.

    def _is_continued_elsewhere(self) -> bool:
        """Say whether metadata.json is of a segment that this process knows nothing of."""
        if self._written and self._written == self._store.metadata_version(self.commis_id):
            return False
        try:
            return self._is_newer(self._store.written_metadata(self.commis_id))
        except MetadataUnreadableError:
            return False

    def _is_newer(self, written: CommisMetadata) -> bool:
        known = self._known
        if (written.pid, written.pid_started) == (known.pid, known.pid_started):
            return written.segments > known.segments
        # With fewer segments it is what was there before, if ours could not be written.
        return written.segments >= known.segments

    def _read_news(self, segment: ActiveSegment) -> Exception | None:
        """Take in what is stored, if it is not known yet or another process has gone on.

        Gives why it could not be read: whoever writes the log may wait for our lock.
        """
        problem: Exception | None = None
        with self._lock:
            version = self._store.metadata_version(self.commis_id)
            if self._is_read and version is not None and version == self._written:
                return None
            try:
                written = self._store.written_metadata(self.commis_id)
            except MetadataUnreadableError as error:
                if self._is_read:
                    return error
                problem, written = error, self._known
            is_alone = self._segments == [segment] and written.segments == self._known.segments
            if self._is_read and not is_alone and not self._is_newer(written):
                return None
            self._is_read = True
            self._known, self._written = written, version
            try:
                records = self._store.records(self.commis_id).items
            except OSError as error:
                problem, records = error, ()
            self.replay(records)
            self.dropped += written.dropped_records - self._written_dropped
            self._written_dropped = written.dropped_records
            # Of a segment whose process died, until its last finished call.
            until_us = max((record.end_us for record in records), default=None)
            self._worked_us = 1000 * (written.worked_ms(until_us) or 0)
            # One that was killed has no record, and may never go on.
            starts = read_or_say(read_starts, self._store.folder(self.commis_id) / layout.STARTED)
            children = (
                one.commis_id for one in (*records, *starts) if one.event == CommisRunRecord.event
            )
            for commis_id in dict.fromkeys(children):
                self._read_child(commis_id)
        return problem

    def _read_child(self, commis_id: str | None) -> None:
        if commis_id is None or len(self._children) >= MAX_CHILDREN:
            return
        try:
            metadata = self._store.written_metadata(commis_id)
            if metadata.status in UNENDED:  # its totals are not written yet
                totals = CommisTotals.of(self._store.records(commis_id))
                metadata = replace(metadata, totals=totals)
        except (MetadataUnreadableError, OSError, ValueError):
            metadata = CommisMetadata(commis_id=commis_id)  # deleted, or in another store
        self._children[commis_id] = DescendantTotals.of(metadata)
