"""One concierge's view of the store: which commis it may see, and what it hears of the others.

What a model can mend is a ToolException, here and in all the tools.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import BinaryIO, Literal

from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import CommisNotFoundError, FileNotInCommisError
from zerg_visibility.read.commis import Commis, metadata_or_stub
from zerg_visibility.read.run import Child
from zerg_visibility.records.codec import json_line
from zerg_visibility.status import CommisStatus
from zerg_visibility.store.layout import METADATA
from zerg_visibility.store.metadata import CommisMetadata

ECHO_MAX, JOBS_NAMED, FILES_NAMED = 80, 5, 20
"""What an error repeats: characters of a model's own words, recent jobs and files."""

JOBS_LOOKED_AT = 1000
"""Newest jobs of all owners among which recent ones are looked for to be named in an error."""

MAX_HOURS = 100_000
"""The longest that a tool looks back: eleven years."""

# Answers speak of "job 7", and a model may say it back.
_IN_WORDS = re.compile(r" {0,9}(?:(?:commis )?job )?#?([1-9][0-9]{0,17}) {0,9}\Z", re.IGNORECASE)


class OwnedCommis(Commis):
    """A commis without what it would tell its owner of another owner's: above it, or below."""

    sees: Callable[[str], bool]
    is_whole = True

    @cached_property
    def children(self) -> tuple[Child, ...]:
        """Those of the owner; what the others were called and how they stand is theirs."""
        return tuple(child for child in self._children() if self.sees(child.commis_id))

    def leave_out_others(self) -> None:
        """Forget a parent that is another's, and sums that hold another's."""
        known = self.written
        if known.parent_commis_id is not None and not self.sees(known.parent_commis_id):
            known = replace(known, parent_commis_id=None)
        if known.descendants is not None and len(self.children) < len(self._children()):
            known = replace(known, descendants=None)
        self.is_whole = known is self.written
        self.written, self.descendants = known, known.descendants


@dataclass(frozen=True)
class ConciergeView:
    """A store as the concierge of one owner sees it; without an owner, commis that have none."""

    store: CommisStore
    owner_id: str | None
    max_bytes: int
    detail: Literal["summary", "full"]

    def find(self, job: int | str) -> OwnedCommis:
        """Find a commis by job id or commis id, unless it is another owner's."""
        named = _IN_WORDS.match(job) if isinstance(job, str) else None
        try:
            found = OwnedCommis.find(self.store, job if named is None else named[1])
        except CommisNotFoundError:
            raise self._job_not_found(job) from None
        if not self._sees(found.written):
            raise self._job_not_found(job)
        found.sees = self._sees_id
        found.leave_out_others()
        return found

    def recent(
        self, since_hours: float, status: CommisStatus | None = None
    ) -> Iterator[CommisMetadata]:
        """Give the owner's commis of the last hours, from the newest to the oldest."""
        if not 0 < since_hours <= MAX_HOURS:  # also false for NaN
            raise ToolException(f"since_hours must be more than 0 and at most {MAX_HOURS:,}.")
        since_us = SYSTEM_CLOCK.wall_us() - int(since_hours * 3_600_000_000)
        return filter(self._sees, self.store.recent(status=status, since_us=since_us))

    def open_file(self, commis: OwnedCommis, file_path: str) -> BinaryIO:
        """Open a regular file of a commis by an untrusted name."""
        try:
            if file_path == METADATA and not commis.is_whole:
                return io.BytesIO(json_line(commis.written.to_dict()))
            return self.store.open_file(commis.commis_id, file_path)
        except FileNotInCommisError:
            names = [words.one_line(name, ECHO_MAX) for name in commis.files]
            listed = words.first_of(names, FILES_NAMED)
            job = f"job {commis.job_id}" if commis.job_id is not None else commis.commis_id
            raise ToolException(
                f"File '{words.one_line(file_path, ECHO_MAX)}' not found in commis {job}. "
                + (f"Files: {listed}." if names else "It has no files yet.")
            ) from None

    def _sees(self, commis: CommisMetadata) -> bool:
        return commis.owner_id == self.owner_id if commis.readable else self._sees_unreadable

    def _sees_id(self, commis_id: str) -> bool:
        try:
            return self._sees(metadata_or_stub(self.store, self.store.find(commis_id)))
        except CommisNotFoundError:  # pruned, or no id of ours
            return self._sees_unreadable

    @cached_property
    def _sees_unreadable(self) -> bool:
        # Whose such a commis is cannot be told. Where nobody has an owner it can only be ours;
        # where owners are in use it may be somebody's, so nobody is shown it.
        if self.owner_id is not None:
            return False
        return all(one.owner_id is None for one in islice(self.store.recent(), JOBS_LOOKED_AT))

    def _job_not_found(self, job: int | str) -> ToolException:
        own = filter(self._sees, islice(self.store.recent(), JOBS_LOOKED_AT))
        known = ", ".join(str(one.job_id) for one in islice(own, JOBS_NAMED))
        return ToolException(
            f"Commis job {words.one_line(str(job), ECHO_MAX) or repr('')} not found. "
            + (f"Recent jobs: {known}." if known else "There are no recent jobs.")
        )


def window_text(since_hours: float) -> str:
    """Name the stretch that is looked back over: `the last 24 hours`."""
    return "the last hour" if since_hours == 1 else f"the last {since_hours:g} hours"
