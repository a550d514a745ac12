"""Job ids: the small numbers under which a concierge knows its commis."""

from __future__ import annotations

import os
from pathlib import Path

from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.store import layout
from zerg_visibility.store.artifacts import read_id
from zerg_visibility.store.files import FileModes, write_new
from zerg_visibility.store.numbering import first_free
from zerg_visibility.store.system import posix


class JobNumbers(ForkSafe):
    """The folder `jobs/`, in which the file of each job holds its commis id.

    A number belongs to whoever creates its file, so processes need no lock between them, and none
    is given twice as long as nobody deletes the files.

    Args:
        root: The store's root.
        modes: Permissions for what is created.
    """

    def __init__(self, root: Path, modes: FileModes) -> None:
        super().__init__()
        self._root = root
        self._modes = modes
        self._next = 1

    def read(self, job_id: int) -> str | None:
        """Give the commis id of a job; None if there is none, or its writer died while writing.

        Raises:
            OSError: This user may not read it.
        """
        text = (read_id(layout.job_place(self._root, job_id)) or "").strip()
        return text if layout.is_own_id(text) else None

    def newest(self) -> int:
        """Give the highest job id so far; 0 if there is none.

        Found in a number of steps that hardly grows with the store. That needs numbers without
        gaps: whoever deletes a commis has to leave its file here. Only where the first ones are
        gone, as after the whole root was deleted under a running process, is the folder read.

        Raises:
            OSError: This user may not read the folder, which is not the same as an empty one.
        """
        if self._taken(1):
            return first_free(self._taken, 1) - 1
        try:
            names = posix.listdir(self._root / layout.JOBS)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        return max((layout.job_number(name) or 0 for name in names), default=0)

    def allocate(self, commis_id: str) -> int:
        """Give a commis the next free number.

        Raises:
            OSError: The file cannot be written.
        """
        with self._lock:
            number = self._next
        if number == 1:
            number = self.newest() + 1
        data = commis_id.encode()
        while True:
            try:
                write_new(layout.job_place(self._root, number), data, self._modes)
            except FileExistsError:
                number = first_free(self._taken, number + 1)  # another process was quicker
                continue
            with self._lock:
                self._next = max(self._next, number + 1)
            return number

    def _taken(self, job_id: int) -> bool:
        return os.path.lexists(layout.job_place(self._root, job_id))
