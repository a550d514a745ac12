"""CommisStore: all commis under one root, written and read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from zerg_visibility.errors import (
    FileNotInCommisError,
    MetadataUnreadableError,
)
from zerg_visibility.records.codec import Record
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import CommisStatus
from zerg_visibility.store import layout
from zerg_visibility.store.artifacts import list_artifacts, open_artifact, read_artifact
from zerg_visibility.store.directory import StoreDirectory
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.reading import LinesRead, open_calls, read_records, read_starts
from zerg_visibility.store.recent import RecentCommis
from zerg_visibility.store.system import posix
from zerg_visibility.store.unreadable import stub

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

    def metadata_or_stub(self, commis_id: str, job_id: int | None = None) -> CommisMetadata:
        """Read what is known of a commis, if need be without its metadata.json.

        Everything that lists or shows commis asks here, so that all say the same.

        Args:
            commis_id: Which.
            job_id: The number under which it was found, which decides over what the file says.
        """
        try:
            found = self.written_metadata(commis_id).seen_now()
        except MetadataUnreadableError as error:
            return stub(self.folder(commis_id), commis_id, job_id, str(error))
        return found if job_id is None else replace(found, job_id=job_id)

    def recent(
        self,
        *,
        status: CommisStatus | None = None,
        since_us: int | None = None,
        owner: str | None = None,
        any_owner: bool = True,
    ) -> RecentCommis:
        """Yield commis from the newest job to the oldest, at a cost per commis yielded or skipped.

        What it gives shows itself as a table of the first. A commis whose metadata.json cannot be
        read is yielded as `lost`, with the reason as its error. One whose job file this user may
        not read cannot be told, and is left out.

        Args:
            status: Only those that stand so.
            since_us: Only those created after this moment, in microseconds since 1970.
            owner: Only those of this owner, if any_owner is False.
            any_owner: Whether to show all owners' commis, which is for operators.

        Raises:
            OSError: This user may not read which jobs there are; raised when it is iterated.
        """
        return RecentCommis(lambda: self._recent(status, since_us, owner, any_owner))

    def _recent(
        self,
        status: CommisStatus | None,
        since_us: int | None,
        owner: str | None,
        any_owner: bool,
    ) -> Iterator[CommisMetadata]:
        too_old = 0
        for job_id in range(self.newest_job(), 0, -1):
            try:
                commis_id = self._jobs.read(job_id)
            except PermissionError:
                if not os.access(self.root / layout.JOBS, os.X_OK):
                    raise  # none can be read, which is not the same as none
                continue  # of a user with a narrower umask; it must not hide the others
            if commis_id is None or not self._folders.has(commis_id):
                continue  # its writer died before it had a directory, or it was pruned
            found = self.metadata_or_stub(commis_id, job_id)
            if since_us is not None and (found.started_us or 0) < since_us:
                too_old += 1
                if too_old == MAX_TOO_OLD:
                    return
                continue
            too_old = 0
            if not any_owner and found.owner_id != owner:
                continue
            if status is None or found.status == status:
                yield found

    def result(self, job: str | int) -> str | None:
        """Read a commis's result; None if it left none.

        Raises:
            CommisNotFoundError: There is no such commis; so in all that follows, but for files of a
                commis id, which a commis deleted meanwhile has none of.
        """
        try:
            data = read_artifact(self.folder(self.find(job)), layout.RESULT)
        except FileNotInCommisError:
            return None
        return data.decode("utf-8", "replace")

    def records(self, job: str | int) -> LinesRead[Record]:
        """Read a commis's metrics.jsonl."""
        return read_records(self.folder(self.find(job)) / layout.METRICS)

    def calls_in_flight(self, job: str | int) -> tuple[CallStarted, ...]:
        """Give the calls that began and have no record, of a commis that has not ended."""
        commis_id = self.find(job)
        try:
            metadata = self.written_metadata(commis_id)
        except MetadataUnreadableError:
            metadata = None
        starts = read_starts(self.folder(commis_id) / layout.STARTED)
        return open_calls(starts.items, self.records(commis_id).items, metadata).in_flight

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
        folder = self.folder(job)
        newest = 0
        for name in list_artifacts(folder):
            try:
                newest = max(newest, posix.stat(folder / name).st_mtime_ns // 1000)
            except OSError:
                continue
        return newest or None
