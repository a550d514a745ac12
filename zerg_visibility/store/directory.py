"""StoreDirectory: where commis directories live, how they are found and written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from zerg_visibility.clock import format_for_name
from zerg_visibility.errors import (
    CommisNotFoundError,
    ConfigurationError,
    MetadataUnreadableError,
)
from zerg_visibility.settings import default_root
from zerg_visibility.store import layout
from zerg_visibility.store.appending import AppendFile
from zerg_visibility.store.artifacts import read_artifact
from zerg_visibility.store.files import (
    FileModes,
    FileVersion,
    file_version,
    replace_file,
    write_new,
)
from zerg_visibility.store.ids import StoreIds
from zerg_visibility.store.metadata import METADATA_MAX_BYTES, CommisMetadata
from zerg_visibility.store.system import absolute


class StoreDirectory:
    """The half of `CommisStore` that finds and writes; what it takes is told there."""

    keeps_files = True
    """Whether anything is written; see NowhereStore."""

    def __init__(self, root: str | os.PathLike[str] | None = None, *, mode: int | None = None):
        self.root = _checked_root(root if root is not None else default_root())
        if mode is not None:
            _check_mode(mode)
        self.modes = FileModes.for_files(mode)
        self._mode = mode
        self._narrowed = mode is not None
        self._ids = StoreIds(self.root, self.modes)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Locks cannot be pickled. The other process finds everything else on disk.
        return _open_store, (type(self), self.root, self._mode)

    # -- finding ---------------------------------------------------------------------------------

    def find(self, job: str | int) -> str:
        """Give the commis id that belongs to a job id or a commis id.

        Args:
            job: Untrusted: a job id such as 7 or "7", or a commis id.

        Raises:
            CommisNotFoundError: There is none.
            OSError: It cannot be told, since this user may not read the file of the job.
        """
        number = layout.job_number(job)
        if number is not None:
            commis_id = self._ids.commis_of_job(number)
        else:
            commis_id = job if isinstance(job, str) and layout.is_own_id(job) else None
        if commis_id is None or not self._ids.has_commis(commis_id):
            raise CommisNotFoundError(f"no commis {str(job)[:80]!r} in {self.root}")
        return commis_id

    def folder(self, job: str | int) -> Path:
        """Give a commis's directory; that of a commis id, whether it exists or not.

        Args:
            job: A commis id, or a job id such as 7 or "7"; so in all that follows.

        Raises:
            CommisNotFoundError: There is no such job, or it is not an id that a store makes.
        """
        if not (isinstance(job, str) and layout.is_own_id(job)):
            job = self.find(job)
        return self.root / layout.COMMIS / job

    def written_metadata(self, commis_id: str) -> CommisMetadata:
        """Read metadata.json as it stands, without asking whether the process is still there.

        Raises:
            MetadataUnreadableError: metadata.json is missing or is not valid.
        """
        try:
            folder = Path(layout.commis_place(self.root, commis_id))
            data = read_artifact(folder, layout.METADATA, METADATA_MAX_BYTES + 1)
        except FileNotFoundError as error:
            raise MetadataUnreadableError(f"commis {commis_id} has no metadata.json") from error
        except OSError as error:
            raise MetadataUnreadableError(
                f"metadata.json of commis {commis_id} cannot be read ({error.strerror})"
            ) from error
        return CommisMetadata.from_json(data, commis_id)

    def newest_job(self) -> int:
        """Give the highest job id so far; 0 if there is none.

        Raises:
            OSError: This user may not read which there are.
        """
        return self._ids.newest_job()

    # -- writing ---------------------------------------------------------------------------------

    def create(self, task: str, created_us: int) -> tuple[str, int]:
        """Make a commis's directory and give it a job id.

        Args:
            task: What it is asked to do; its beginning becomes part of the name.
            created_us: Microseconds since 1970.

        Returns:
            Its commis id and job id, unique over all processes that use this root.

        Raises:
            OSError: The directory or the job file cannot be written.
        """
        if self._narrowed:
            self._narrow_existing()
        commis_id = self._ids.make_commis(f"{format_for_name(created_us)}_{layout.slug(task)}")
        return commis_id, self._ids.next_job(commis_id)

    def create_as(self, commis_id: str) -> int:
        """Make the directory of a commis that has an id already, and give it a job id.

        Raises:
            FileExistsError: There is a commis of this id.
            OSError: The directory or the job file cannot be written.
        """
        self._ids.make_commis_as(commis_id)
        return self._ids.next_job(commis_id)

    def save_metadata(self, metadata: CommisMetadata) -> FileVersion | None:
        """Write metadata.json as a whole.

        Returns:
            Its version, for `metadata_version`; None if it could not be told.

        Raises:
            OSError: It cannot be written.
        """
        path = layout.commis_place(self.root, metadata.commis_id, layout.METADATA)
        return replace_file(path, metadata.to_json(), self.modes)

    def metadata_version(self, commis_id: str) -> FileVersion | None:
        """Tell whether metadata.json is another one than before, which is quicker than reading."""
        return file_version(layout.commis_place(self.root, commis_id, layout.METADATA))

    def save_text(self, commis_id: str, name: str, text: str) -> None:
        """Write a text file of a commis as a whole.

        Args:
            commis_id: Whose it is.
            name: One of the names in `layout`.
            text: Its content; what UTF-8 cannot hold is replaced by "?".

        Raises:
            OSError: It cannot be written.
        """
        data = text.encode("utf-8", "replace")
        replace_file(layout.commis_place(self.root, commis_id, name), data, self.modes)

    def append_file(self, path: Path) -> AppendFile:
        """Give a file below the root to which lines can be appended."""
        return AppendFile(path, self.modes)

    def write_file(self, path: Path | str, data: bytes) -> None:
        """Write a file below the root that must not exist yet, with its folders.

        Raises:
            FileExistsError: It exists.
            OSError: It cannot be written.
        """
        write_new(path, data, self.modes)

    def remember_key(self, key: str, commis_id: str, *, on_disk: bool) -> None:
        """Note which commis, or which root run of a concierge, a key stands for.

        Args:
            key: 32 hex digits that name a resumable run.
            commis_id: The commis, or the concierge id.
            on_disk: Whether another process may have to find it.

        Raises:
            OSError: It cannot be written.
        """
        self._ids.remember_key(key, commis_id, on_disk=on_disk)

    def commis_of_key(self, key: str, *, on_disk: bool) -> str | None:
        """Give the commis of a resumable run, if it was seen before and is still stored."""
        commis_id = self._ids.of_key(key, on_disk=on_disk)
        return commis_id if commis_id and self._ids.has_commis(commis_id) else None

    def concierge_of_key(self, key: str) -> str | None:
        """Give the root run that was remembered under a key, if there is one."""
        return self._ids.of_key(key, on_disk=True)

    def note_trace(self, trace_id: str, name: str) -> None:
        """Note that something belongs to a trace, so that a trace is found without a search.

        Args:
            trace_id: 32 hex digits.
            name: The concierge id of a root run, or the id of a commis that runs without one.

        Raises:
            OSError: It cannot be written.
        """
        path = layout.trace_dir(self.root, trace_id) / name
        with suppress(FileExistsError):
            write_new(path, b"", self.modes)

    # -- inside ----------------------------------------------------------------------------------

    def _narrow_existing(self) -> None:
        # Once: another process of the same user may have made the folders under a wider umask.
        self._narrowed = False
        for name in ("", layout.COMMIS, layout.CONCIERGE, layout.JOBS, layout.KEYS, layout.TRACES):
            folder = self.root / name
            if folder.is_dir():
                folder.chmod(folder.stat().st_mode & 0o777 & self.modes.folder)


def _open_store(cls: type[StoreDirectory], root: Path, mode: int | None) -> StoreDirectory:
    return cls(root, mode=mode)


def _checked_root(root: object) -> Path:
    if not isinstance(root, str | os.PathLike) or not os.fspath(root):
        raise ConfigurationError(f"root={root!r} names no folder; give one such as 'zerg-data'")
    try:
        # A folder called "~" is never what somebody wants.
        path = Path(root).expanduser()
    except RuntimeError as error:  # nobody's home
        raise ConfigurationError(f"root={root!r} names a home folder that is not known") from error
    return absolute(path)


def _check_mode(mode: object) -> None:
    if not isinstance(mode, int) or mode & ~0o777 or mode & 0o600 != 0o600:
        raise ConfigurationError(
            f"mode={mode!r} is not one under which the owner can read and write; "
            f"give permission bits in octal, such as 0o600"
        )
