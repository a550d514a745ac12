"""CommisStore: all commis under one root, written and read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import BinaryIO

from zerg_visibility.clock import format_for_name
from zerg_visibility.read.commis import Commis, metadata_or_stub
from zerg_visibility.read.concierge import Concierge
from zerg_visibility.read.tables import Recent
from zerg_visibility.read.trace import Trace
from zerg_visibility.records.codec import Record
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import CommisStatus
from zerg_visibility.store import layout
from zerg_visibility.store.artifacts import list_artifacts, open_artifact
from zerg_visibility.store.directory import StoreDirectory
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.reading import LinesRead, read_records, without_root_runs
from zerg_visibility.store.system import posix
from zerg_visibility.words import duration, one_line

MAX_TOO_OLD = 100
"""Commis in a row that are too old, after which no newer one is expected: a clock step or a start
time that somebody edited must not hide what lies behind it."""


class CommisStore(StoreDirectory):
    """The directory tree of all commis under one root.

    Cheap to make: nothing is read or created before it is used. Safe to use from several threads
    and processes at once. It belongs to the operator and sees every commis; who may see what is
    decided by the tools.

    Args:
        root: The folder; $ZERG_VISIBILITY_ROOT if none is given, else ./zerg-data.
        mode: Permission bits for files, such as 0o600; folders get the matching search bits. By
            default the umask decides.

    Raises:
        ConfigurationError: The root is empty, or the mode is not one under which the owner can read
            and write.
    """

    def metadata(self, job: str | int) -> CommisMetadata:
        """Read what is known of a commis; one whose process is gone reads as `lost`.

        Raises:
            CommisNotFoundError: There is no such commis.
            MetadataUnreadableError: metadata.json is missing or is not valid.
        """
        return self.written_metadata(self.find(job)).seen_now()

    def commis(self, job: str | int) -> Commis:
        """Read a commis as it stands: metadata, records, calls in flight, times, result, files.

        One whose metadata.json cannot be read is given as far as its other files tell, with a
        `problem`.

        Args:
            job: A job id such as 7 or "7", or a commis id.

        Raises:
            CommisNotFoundError: There is no such commis.
        """
        return Commis.find(self, job).read()

    def concierge(self, concierge_id: str) -> Concierge:
        """Read a root run of a concierge as it stands, also one that runs or was killed.

        Raises:
            RunNotFoundError: There is no such run.
        """
        return Concierge.find(self, concierge_id).read()

    def trace(self, any_id: str | int) -> Trace:
        """Read a trace: its root runs, their commis and every call, as a flat list of spans.

        Args:
            any_id: A trace id, a concierge id, a commis id or a job id.

        Raises:
            RunNotFoundError: Nothing is known under that id.
        """
        return Trace.find(self, any_id)

    def recent(
        self, *, status: CommisStatus | None = None, since_us: int | None = None
    ) -> Recent[CommisMetadata]:
        """Yield commis from the newest job to the oldest, at a cost per commis yielded or skipped.

        What it gives shows itself as a table of the first. A commis whose metadata.json cannot be
        read is yielded as `lost`, with the reason as its error. One whose job file this user may
        not read cannot be told, and is left out.

        Args:
            status: Only those that stand so.
            since_us: Only those created after this moment, in microseconds since 1970.

        Raises:
            OSError: This user may not read which jobs there are; raised when it is iterated.
        """
        return Recent(lambda: self._recent(status, since_us), _commis_row, "commis")

    def _recent(
        self, status: CommisStatus | None, since_us: int | None
    ) -> Iterator[CommisMetadata]:
        too_old = 0
        for job_id in range(self.newest_job(), 0, -1):
            try:
                commis_id = self._ids.commis_of_job(job_id)
            except PermissionError:
                if not os.access(self.root / layout.JOBS, os.X_OK):
                    raise  # none can be read, which is not the same as none
                continue  # of a user with a narrower umask; it must not hide the others
            if commis_id is None or not self._ids.has_commis(commis_id):
                continue  # its writer died before it had a directory, or it was pruned
            found = metadata_or_stub(self, commis_id, job_id)
            if since_us is not None and (found.started_us or 0) < since_us:
                too_old += 1
                if too_old == MAX_TOO_OLD:
                    return
                continue
            too_old = 0
            if status is None or found.status == status:
                yield found

    def concierges(self, since: datetime | int | None = None) -> Recent[Concierge]:
        """Yield the root runs of concierges, the latest first; like `recent`, it shows itself.

        Args:
            since: Only those that began in the second of this moment or later: a datetime, or
                microseconds since 1970.

        Raises:
            OSError: This user may not read which there are; raised when it is iterated.
        """
        return Recent(lambda: self._concierges(since), _concierge_row, "concierge runs")

    def _concierges(self, since: datetime | int | None) -> Iterator[Concierge]:
        for _, names in groupby(self.concierge_ids(since), key=lambda name: name[:19]):
            runs = [Concierge(self, name) for name in names]
            # Names tell the second, and only where several share one are they read for the order.
            yield from runs if len(runs) == 1 else sorted(runs, key=lambda run: -run.start_us)

    def commis_ids(self, since: datetime | int | None = None) -> list[str]:
        """Name the commis that there are, the latest first, without reading any.

        Args:
            since: As for `concierges`.

        Raises:
            OSError: This user may not read which there are.
        """
        return self._names(layout.COMMIS, since)

    def concierge_ids(self, since: datetime | int | None = None) -> list[str]:
        """Name the root runs of concierges that there are, in the same way."""
        return self._names(layout.CONCIERGE, since)

    def _names(self, folder: str, since: datetime | int | None) -> list[str]:
        if isinstance(since, datetime):
            since = round(since.timestamp() * 1_000_000)
        first = "" if since is None else format_for_name(since)
        try:
            names = posix.listdir(self.root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        own = [name for name in names if name >= first and layout.is_own_id(name)]
        return sorted(own, reverse=True)

    def result(self, job: str | int) -> str | None:
        """Read a commis's result; None if it left none.

        Raises:
            CommisNotFoundError: There is no such commis; so in all that follows, but for files of a
                commis id, which a commis deleted meanwhile has none of.
        """
        return Commis.find(self, job).result

    def records(self, job: str | int) -> LinesRead[Record]:
        """Read a commis's metrics.jsonl."""
        return without_root_runs(read_records(self.folder(self.find(job)) / layout.METRICS))

    def calls_in_flight(self, job: str | int) -> tuple[CallStarted, ...]:
        """Give the calls that began and have no record, of a commis that has not ended."""
        return self.commis(job).in_flight

    def open_file(self, job: str | int, file_path: str) -> BinaryIO:
        """Open a file of a commis by an untrusted name.

        Raises:
            FileNotInCommisError: There is no such regular file in its directory.
        """
        return open_artifact(self.folder(job), file_path)

    def files(self, job: str | int) -> list[str]:
        """Name the files of a commis, relative to its directory."""
        return list_artifacts(self.folder(job))

    def last_sign_of_life(self, job: str | int) -> int | None:
        """Give the newest modification of a commis's files, in microseconds since 1970."""
        return Commis.find(self, job).sign_of_life_us


def _commis_row(one: CommisMetadata) -> dict[str, str]:
    return {
        "job": "" if one.job_id is None else str(one.job_id),
        "status": one.status,
        "duration": "" if one.duration_ms is None else duration(one.duration_ms),
        "name": one_line(one.name, 20),
        "task": one_line(one.task, 50),
    }


def _concierge_row(one: Concierge) -> dict[str, str]:
    return {
        "concierge": one.concierge_id,
        "status": one.status,
        "duration": "" if one.at_work_ms is None else duration(one.at_work_ms),
        "name": one_line(one.name, 20),
        "llm": str(one.totals.llm_calls),
        "tool": str(one.totals.tool_calls),
        "commis": str(len(one.children)),
    }
