"""A store that keeps nothing on disk, for a handler whose records go to its sinks alone."""

from __future__ import annotations

import itertools
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

from zerg_visibility.clock import format_for_name
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import CommisNotFoundError, MetadataUnreadableError
from zerg_visibility.store import layout
from zerg_visibility.store.appending import AppendFile
from zerg_visibility.store.files import FileVersion
from zerg_visibility.store.metadata import CommisMetadata

MAX_REMEMBERED = 1000
"""The latest commis that are known, so that they can go on after an interrupt."""

_stores = itertools.count(1)


class NowhereStore(CommisStore):
    """Gives commis their ids and jobs, and remembers the metadata of the latest; nothing else.

    No other process knows of them. A commis that goes on after an interrupt is the same one, with
    totals that begin anew.
    """

    keeps_files = False

    def __init__(self) -> None:
        # Below a file no folder can be made, should anything here be forgotten.
        super().__init__(Path(os.devnull) / f"nowhere-{next(_stores)}")
        self._known: OrderedDict[str, CommisMetadata] = OrderedDict()
        self._numbers = itertools.count(1)

    def __repr__(self) -> str:
        return "NowhereStore()"

    def __reduce__(self) -> tuple[Any, ...]:
        return NowhereStore, ()

    def find(self, job: str | int) -> str:
        """Give the commis id of one of the latest commis."""
        number = layout.job_number(job)
        for commis_id, metadata in list(self._known.items()):
            if job == commis_id or (number is not None and number == metadata.job_id):
                return commis_id
        raise CommisNotFoundError(f"no commis {str(job)[:80]!r}: this store keeps nothing on disk")

    def written_metadata(self, commis_id: str) -> CommisMetadata:
        """Give what is remembered of a commis."""
        metadata = self._known.get(commis_id)
        if metadata is None:
            raise MetadataUnreadableError(f"commis {commis_id} is not remembered")
        return metadata

    def create(self, task: str, created_us: int) -> tuple[str, int]:
        """Give a commis its id and its job."""
        wanted = f"{format_for_name(created_us)}_{layout.slug(task)}"
        number = next(self._numbers)
        for suffix in itertools.count(1):
            commis_id = wanted if suffix == 1 else f"{wanted}-{suffix}"
            mine = CommisMetadata(commis_id=commis_id, job_id=number, segments=0)
            # One step, so that two threads never get one name.
            if self._known.setdefault(commis_id, mine) is mine:
                break
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return commis_id, number

    def save_metadata(self, metadata: CommisMetadata) -> FileVersion | None:
        """Remember what is known of a commis."""
        if metadata.commis_id in self._known:
            self._known[metadata.commis_id] = metadata
        return None

    def append_file(self, path: Path) -> AppendFile:
        """Give a file of which nothing is kept."""
        return _NoFile(path, self.modes)

    def _keep_nothing(self, *_: Any, **__: Any) -> None:
        """Stand for what writes a file."""

    save_text = write_file = note_trace = _keep_nothing

    def remember_key(self, key: str, commis_id: str, *, on_disk: bool) -> None:  # noqa: ARG002
        """Note which commis a resumable run is, for this process alone."""
        super().remember_key(key, commis_id, on_disk=False)

    def commis_of_key(self, key: str, *, on_disk: bool) -> str | None:  # noqa: ARG002
        """Give the commis of a resumable run, if it is remembered."""
        commis_id = self._ids.of_key(key, on_disk=False)
        return commis_id if commis_id in self._known else None


class _NoFile(AppendFile):
    __slots__ = ()

    def append(self, line: bytes) -> None:
        """Keep nothing."""
