"""One commis and its directory, over all the segments that this process runs of it."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import uuid4

from zerg_visibility.clock import format_for_name
from zerg_visibility.commis.beginning import Beginning
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.errors import MetadataUnreadableError
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.redaction import Redact
from zerg_visibility.run_log import RunLog
from zerg_visibility.status import UNENDED
from zerg_visibility.store import layout
from zerg_visibility.store.files import FileVersion
from zerg_visibility.store.liveness import this_process
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.outputs import OutputNumbers
from zerg_visibility.store.runs import SegmentRun, kept

RETRY_AFTER_S = 1.0
"""A directory that could not be made is tried again after this many seconds."""


class Turn:
    """Stands for a segment, from the moment that it is given its live until it ends.

    Args:
        execution: Stands for the execution of a task that it is part of; None on its own.
    """

    __slots__ = ("execution",)

    def __init__(self, execution: object) -> None:
        self.execution = execution


class LiveCommis(ForkSafe):
    """A commis as this process knows it; made by `create` or `reopen`.

    Safe to use from several threads: a retry may start while the attempt before it still winds up.
    """

    def __init__(
        self,
        store: CommisStore,
        metadata: CommisMetadata,
        redact: Redact,
        capture: Collection[str],
        diagnostics: Diagnostics,
    ) -> None:
        super().__init__()
        self.metadata = metadata
        self.run_log = RunLog(store, redact)
        self.successor: LiveCommis | None = None
        """Goes on with the commis after this one; there as long as this one has late calls."""
        self._store = store
        self._capture = capture
        self._diagnostics = diagnostics
        self._on_disk = False
        self._problem: MetadataUnreadableError | None = None
        self._written: FileVersion | None = None
        self._tried_at = time.monotonic()
        self._worked_us = 1000 * (metadata.duration_ms or 0)
        self._dropped_before = metadata.dropped_records
        self._turns: list[Turn] = []
        self._latest: Turn | None = None

    @property
    def commis_id(self) -> str:
        """The name of its directory."""
        return self.metadata.commis_id

    @property
    def attempts(self) -> int:
        """How often it was started, resumes after an interrupt not counted."""
        return self.metadata.attempts

    @property
    def is_idle(self) -> bool:
        """Whether none of its segments is running or about to."""
        return not self._turns

    @classmethod
    def create(
        cls,
        store: CommisStore,
        beginning: Beginning,
        redact: Redact,
        capture: Collection[str],
        diagnostics: Diagnostics,
    ) -> LiveCommis:
        """Start a new commis; if no directory can be made, go on without one and try again."""
        job_id = None
        try:
            commis_id, job_id = store.create(beginning.task or beginning.name, beginning.start_us)
        except Exception as error:  # not only of the system: detectors of blocking calls raise too
            diagnostics.note("create a commis's directory", error)
            slug = layout.slug(beginning.task or beginning.name)
            # Unique by chance, since no directory vouches for it.
            commis_id = f"{format_for_name(beginning.start_us)}_{slug}-{uuid4().hex[:8]}"
        metadata = beginning.metadata(commis_id, job_id)
        live = cls(store, metadata, redact, capture, diagnostics)
        if job_id is None:
            live.run_log.reopen = live._materialise
        else:
            live._open_run_log()
        return live

    @classmethod
    def reopen(
        cls,
        store: CommisStore,
        commis_id: str,
        redact: Redact,
        capture: Collection[str],
        diagnostics: Diagnostics,
        earlier: LiveCommis | None = None,
    ) -> LiveCommis:
        """Continue a commis from what is stored of it, whatever state that is in.

        Args:
            store: Where it lies.
            commis_id: Which.
            redact: Applied to every text before it is stored.
            capture: What is stored beside metrics.
            diagnostics: Counts and logs what fails.
            earlier: The live of segments that are over, if there may be late calls of theirs.
        """
        try:
            metadata = store.written_metadata(commis_id)
            problem = None
        except MetadataUnreadableError as error:
            problem = error
            metadata = CommisMetadata(commis_id=commis_id, status="lost")
        live = cls(store, metadata, redact, capture, diagnostics)
        live._problem = problem
        live._open_run_log(None if earlier is None else earlier.run_log.output_numbers)
        records = store.records(commis_id).items
        live.run_log.replay(records)
        if metadata.status in UNENDED:
            live._worked_us += _unfinished_us(metadata, records)
        return live

    def runs_in(self, execution: object) -> bool:
        """Say whether one of its segments is running that belongs to an execution of a task."""
        return any(turn.execution is execution for turn in list(self._turns))

    def expect(self, turn: Turn) -> None:
        """Note that a segment is about to start; the registry holds its own lock."""
        self._turns.append(turn)

    def begin_segment(self, turn: Turn, run: SegmentRun, first: bool) -> None:
        """Note that a segment starts.

        Args:
            turn: Stands for it; it is expected.
            run: The segment as metadata.json lists it.
            first: Whether the commis was made for it.

        Raises:
            OSError: metadata.json could not be written.
        """
        # Not when it was found: the registry was locked, and who writes the log may wait for that.
        problem, self._problem = self._problem, None
        if problem is not None:
            self._diagnostics.note("read the metadata.json of a commis that continues", problem)
        mark = this_process()
        self._materialise()
        with self._lock:
            self._latest = turn
            now = self.metadata
            repeated = 0 if first else 1
            again = 0 if first or now.status == "interrupted" else 1
            self._change(
                status="running",
                finished_at=None,
                error=None,
                segments=now.segments + repeated,
                attempts=now.attempts + again,
                started_at=now.started_at or run.start_ts,
                segment_started_at=run.start_ts,
                runs=kept((*now.runs, run)),
                pid=mark.pid,
                pid_started=mark.pid_started,
                host=mark.host,
            )
            self._write()

    def end_segment(
        self, turn: Turn, record: CommisRunRecord, worked_us: int, asked: str | None
    ) -> None:
        """Note that a segment has ended, and how, unless another process has gone on since.

        Args:
            turn: What stood for it.
            record: The segment as a record.
            worked_us: Microseconds that it was at work.
            asked: What a human is asked, if it waits for one.

        Raises:
            OSError: metadata.json could not be written.
        """
        self._materialise()
        idle = False
        try:
            with self._lock:
                now = self.metadata
                # One that began later says how the commis is, though it may have ended before.
                latest = self._latest is turn
                if turn in self._turns:
                    self._turns.remove(turn)
                idle = not self._turns
                self._worked_us += worked_us
                started_us = now.started_us or record.start_us
                continued = self.is_continued_elsewhere()
                self._change(
                    status=record.status if latest else now.status,
                    error=record.error if latest else now.error,
                    finished_at=record.end_ts if latest else now.finished_at,
                    duration_ms=self._worked_us // 1000,
                    wall_ms=max(now.wall_ms or 0, (record.end_us - started_us) // 1000),
                    runs=tuple(
                        replace(run, end_ts=record.end_ts, status=record.status, asked=asked)
                        if run.span_id == record.span_id
                        else run
                        for run in now.runs
                    ),
                )
                if not continued:
                    self._write()
        finally:
            if idle:
                self.run_log.close()

    def save_late(self) -> None:
        """Write metadata.json with the latest totals, unless somebody has gone on since.

        Raises:
            OSError: It could not be written.
        """
        self._materialise()
        with self._lock:
            if self.is_continued_elsewhere():
                return  # whoever it is reads metrics.jsonl, and has more to say than this one
            self._change()
            self._write()

    def take_over(self, record: Record, earlier: LiveCommis) -> None:
        """Take in a late record of an earlier live, and how many that one has lost."""
        self.run_log.replay_late(record)
        self.run_log.count_dropped(earlier.unsaid_dropped())

    def unsaid_dropped(self) -> int:
        """Give, once, how many records were lost since metadata.json was last written."""
        with self._lock:
            dropped = self._dropped_before + self.run_log.dropped
            unsaid = dropped - self.metadata.dropped_records
            self.metadata = replace(self.metadata, dropped_records=dropped)
            return unsaid

    def is_continued_elsewhere(self) -> bool:
        """Say whether metadata.json is of a segment that this live knows nothing of."""
        if not self._on_disk:
            return False
        if self._written and self._written == self._store.metadata_version(self.commis_id):
            return False
        try:
            written = self._store.written_metadata(self.commis_id)
        except MetadataUnreadableError:
            return False
        ours = self.metadata
        if (written.pid, written.pid_started) == (ours.pid, ours.pid_started):
            return written.segments > ours.segments
        # With fewer segments it is what was there before, if ours could not be written.
        return written.segments >= ours.segments

    def store(self, turn: Turn, name: str, text: str) -> None:
        """Write what a segment leaves, unless a later one has begun, here or elsewhere.

        Args:
            turn: What stands for the segment.
            name: One of the names in `layout`.
            text: Its content.

        Raises:
            OSError: It could not be written.
        """
        with self._lock:
            if self._latest is turn and self._on_disk and not self.is_continued_elsewhere():
                self._store.save_text(self.commis_id, name, text)

    def _change(self, **changes: Any) -> None:
        self.metadata = replace(
            self.metadata,
            totals=self.run_log.totals,
            dropped_records=self._dropped_before + self.run_log.dropped,
            **changes,
        )

    def _write(self) -> None:
        if self._on_disk:
            self._written = self._store.save_metadata(self.metadata)

    def _open_run_log(self, numbers: OutputNumbers | None = None) -> None:
        self._on_disk = True
        folder = self._store.folder(self.commis_id)
        if "tool_outputs" not in self._capture or not self._store.keeps_files:
            numbers = None
        elif numbers is None:
            numbers = OutputNumbers(folder / layout.TOOL_CALLS)
        else:
            numbers.look_again()
        self.run_log.stores_inputs = "tool_inputs" in self._capture
        self.run_log.open(folder, starts="starts" in self._capture, outputs=numbers)

    def _materialise(self) -> None:
        """Make the directory after all, if it could not be made at first."""
        try:
            with self._lock:
                now = time.monotonic()
                if self._on_disk:
                    return  # another thread may have been quicker
                if now - self._tried_at < RETRY_AFTER_S:
                    return
                self._tried_at = now
                job_id = self._store.create_as(self.commis_id)
                self.metadata = replace(self.metadata, job_id=job_id)
                self._open_run_log()
                self.run_log.reopen = None
        except Exception as error:
            # Without our lock: a thread that writes the log may have to wait for that.
            self._diagnostics.note("create a commis's directory", error)


def _unfinished_us(metadata: CommisMetadata, records: tuple[Record, ...]) -> int:
    """Estimate how long a segment worked whose process died: until its last finished call."""
    since_us = metadata.segment_started_us
    ends = [record.end_us for record in records]
    return 0 if since_us is None or not ends else max(0, max(ends) - since_us)
