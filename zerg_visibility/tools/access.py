"""One concierge's view of the store: which commis it may see, and what it hears of the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, Literal

from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import (
    CommisNotFoundError,
    FileNotInCommisError,
    MetadataUnreadableError,
)
from zerg_visibility.read.children import Descendants, descendants
from zerg_visibility.read.commis import CommisNow, look_at
from zerg_visibility.status import CommisStatus
from zerg_visibility.store.layout import job_number
from zerg_visibility.store.metadata import CommisMetadata

ECHO_MAX = 80
"""Characters of a model's own words that an error repeats."""

JOBS_NAMED = 5
"""Recent jobs that an error names."""

JOBS_LOOKED_AT = 1000
"""Newest jobs of all owners among which recent ones are looked for to be named in an error."""

FILES_NAMED = 20
"""Files that an error names."""

# Answers speak of "job 7", and a model may say it back.
_IN_WORDS = re.compile(r" {0,9}(?:(?:commis )?job )?#?([1-9][0-9]{0,17}) {0,9}\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundCommis:
    """A commis that the concierge may see.

    Args:
        commis_id: The name of its directory.
        job_id: Its number; None if it has none, or none that can be read.
        metadata: What is known of it; None if its metadata.json cannot be read.
    """

    commis_id: str
    job_id: int | None
    metadata: CommisMetadata | None

    @property
    def label(self) -> str:
        """How answers call it: `commis job 7 (commis 2025-12-15T04-08-08_calculate-7-6)`."""
        return commis_label(self.job_id, self.commis_id)


@dataclass(frozen=True, slots=True)
class ConciergeView:
    """A store as the concierge of one owner sees it.

    Args:
        store: Where the commis live.
        owner_id: It sees exactly the commis of this owner; None sees only those without one.
        max_bytes: The most that one answer may hold.
        detail: Whether results carry the line with cost, tokens and times.
    """

    store: CommisStore
    owner_id: str | None
    max_bytes: int
    detail: Literal["summary", "full"]

    def find(self, job: int | str) -> FoundCommis:
        """Find a commis by job id or commis id.

        Raises:
            ToolException: There is none, or it is another owner's.
        """
        named = _IN_WORDS.match(job) if isinstance(job, str) else None
        wanted = job if named is None else named[1]
        try:
            commis_id = self.store.find(wanted)
        except CommisNotFoundError:
            raise self._job_not_found(job) from None
        number = job_number(wanted)
        try:
            metadata = self.store.written_metadata(commis_id).seen_now()
        except MetadataUnreadableError:
            if not self._sees_unreadable():
                raise self._job_not_found(job) from None
            return FoundCommis(commis_id, number, None)
        if metadata.owner_id != self.owner_id:
            raise self._job_not_found(job)
        if number is not None:
            metadata = replace(metadata, job_id=number)
        return FoundCommis(commis_id, metadata.job_id, metadata)

    def recent(
        self, *, status: CommisStatus | None = None, since_us: int | None = None
    ) -> Iterator[CommisMetadata]:
        """Yield the owner's commis from the newest to the oldest.

        Args:
            status: Only those that stand so.
            since_us: Only those started after this moment, in microseconds since 1970.
        """
        return self._own(self.store.recent(status=status, since_us=since_us))

    def look_at(self, commis: FoundCommis) -> CommisNow:
        """Read how a commis stands; one without metadata as far as its other files tell."""
        metadata = commis.metadata or self.store.metadata_or_stub(commis.commis_id)
        return look_at(self.store, metadata, SYSTEM_CLOCK.wall_us())

    def descendants(self, commis: CommisNow) -> Descendants:
        """Find the owner's commis below one."""
        return descendants(
            self.store,
            commis.metadata.commis_id,
            commis.read.items,
            sees=lambda found: found.owner_id == self.owner_id,
        )

    def open_file(self, commis: FoundCommis, file_path: str) -> BinaryIO:
        """Open a file of a commis by an untrusted name.

        Raises:
            ToolException: There is no such regular file, whatever the reason.
        """
        try:
            return self.store.open_file(commis.commis_id, file_path)
        except FileNotInCommisError:
            names = [words.one_line(name, ECHO_MAX) for name in self.store.files(commis.commis_id)]
            more = len(names) - FILES_NAMED
            listed = ", ".join(names[:FILES_NAMED]) + (f" and {more:,} more" if more > 0 else "")
            job = f"job {commis.job_id}" if commis.job_id is not None else commis.commis_id
            raise ToolException(
                f"File '{words.one_line(file_path, ECHO_MAX)}' not found in commis {job}. "
                + (f"Files: {listed}." if names else "It has no files yet.")
            ) from None

    def _own(self, found: Iterator[CommisMetadata]) -> Iterator[CommisMetadata]:
        sees_unreadable: bool | None = None
        for metadata in found:
            if metadata.owner_id != self.owner_id:
                continue
            if self._is_unreadable(metadata):
                if sees_unreadable is None:
                    sees_unreadable = self._sees_unreadable()
                if not sees_unreadable:
                    continue
            yield metadata

    def _is_unreadable(self, metadata: CommisMetadata) -> bool:
        if metadata.name != "?":  # what the store calls them; a real one may be called so too
            return False
        try:
            self.store.written_metadata(metadata.commis_id)
        except MetadataUnreadableError:
            return True
        return False

    def _sees_unreadable(self) -> bool:
        # Whose such a commis is cannot be told. Where nobody has an owner it can only be ours;
        # where owners are in use it may be somebody's, so nobody is shown it.
        if self.owner_id is not None:
            return False
        return all(one.owner_id is None for one in islice(self.store.recent(), JOBS_LOOKED_AT))

    def _job_not_found(self, job: int | str) -> ToolException:
        own = self._own(islice(self.store.recent(), JOBS_LOOKED_AT))
        known = ", ".join(str(one.job_id) for one in islice(own, JOBS_NAMED))
        return ToolException(
            f"Commis job {words.one_line(str(job), ECHO_MAX) or repr('')} not found. "
            + (f"Recent jobs: {known}." if known else "There are no recent jobs.")
        )


def commis_label(job_id: int | None, commis_id: str) -> str:
    """Name a commis by its job and its directory, or by its directory alone."""
    if job_id is None:
        return f"commis {commis_id}"
    return f"commis job {job_id} (commis {commis_id})"
