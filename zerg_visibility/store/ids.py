"""The ids of a store: those of commis, of jobs, and which commis a resumable run is."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.store import layout
from zerg_visibility.store.artifacts import read_id
from zerg_visibility.store.files import FileModes, make_folder, replace_file, write_new
from zerg_visibility.store.system import posix

MAX_KEYS_IN_MEMORY = 4096
"""Runs remembered by one process; older ones are found on disk, if a checkpointer is used."""


class StoreIds(ForkSafe):
    """The folders `commis/`, `jobs/` and `keys/`.

    A name belongs to whoever creates the file or directory of it, so processes need no lock between
    them, and no number of a job is given twice as long as nobody deletes the files.
    """

    def __init__(self, root: Path, modes: FileModes) -> None:
        super().__init__()
        self._root = root
        self._modes = modes
        self._next_suffix: tuple[str, int] = ("", 2)
        self._next_job = 1
        self._keys: OrderedDict[str, str] = OrderedDict()

    # -- commis/ ---------------------------------------------------------------------------------

    def has_commis(self, commis_id: str) -> bool:
        """Say whether there is such a commis, or there may be."""
        try:
            mode = posix.stat(layout.commis_place(self._root, commis_id)).st_mode
        except PermissionError:
            return True  # reading it will say why it cannot be read
        except OSError:
            return False
        return stat.S_ISDIR(mode)

    def make_commis(self, wanted: str) -> str:
        """Make a directory, and give its name: the wanted one, else with `-2`, `-3`, ... added."""
        parent = f"{self._root}/{layout.COMMIS}"
        if self._make(f"{parent}/{wanted}"):
            return wanted
        while True:
            with self._lock:
                known, hint = self._next_suffix
            start = hint if known == wanted else 2
            number = first_free(lambda n: os.path.lexists(f"{parent}/{wanted}-{n}"), start)
            with self._lock:
                self._next_suffix = (wanted, number + 1)
            if self._make(f"{parent}/{wanted}-{number}"):
                return f"{wanted}-{number}"

    def _make(self, path: str) -> bool:
        try:
            try:
                posix.mkdir(path, self._modes.folder)
            except FileNotFoundError:
                for name in (layout.COMMIS, layout.JOBS):
                    make_folder(self._root / name, self._modes)
                posix.mkdir(path, self._modes.folder)
        except FileExistsError:
            return False
        return True

    def make_commis_as(self, commis_id: str) -> None:
        """Make the directory of a commis that has its id already, or raise FileExistsError."""
        make_folder(self._root / layout.COMMIS, self._modes)
        posix.mkdir(layout.commis_place(self._root, commis_id), self._modes.folder)

    # -- jobs/, in which the file of each job holds its commis id --------------------------------

    def commis_of_job(self, job_id: int) -> str | None:
        """Give the commis id of a job; None if there is none, or its writer died while writing."""
        text = (read_id(layout.job_place(self._root, job_id)) or "").strip()
        return text if layout.is_own_id(text) else None

    def newest_job(self) -> int:
        """Give the highest job id so far; 0 if there is none.

        Found in a number of steps that hardly grows with the store. That needs numbers without
        gaps: whoever deletes a commis has to leave its file here. Only where the first ones are
        gone, as after the whole root was deleted under a running process, is the folder read.

        Raises:
            OSError: This user may not read the folder, which is not the same as an empty one.
        """
        if self._is_job(1):
            return first_free(self._is_job, 1) - 1
        try:
            names = posix.listdir(self._root / layout.JOBS)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        return max((layout.job_number(name) or 0 for name in names), default=0)

    def next_job(self, commis_id: str) -> int:
        """Give a commis the next free number."""
        with self._lock:
            number = self._next_job
        if number == 1:
            number = self.newest_job() + 1
        data = commis_id.encode()
        while True:
            try:
                write_new(layout.job_place(self._root, number), data, self._modes)
            except FileExistsError:
                number = first_free(self._is_job, number + 1)  # another process was quicker
                continue
            with self._lock:
                self._next_job = max(self._next_job, number + 1)
            return number

    def _is_job(self, job_id: int) -> bool:
        return os.path.lexists(layout.job_place(self._root, job_id))

    # -- keys/, and what this process remembers without it ---------------------------------------

    def remember_key(self, key: str, commis_id: str, *, on_disk: bool) -> None:
        """Note what a key stands for, as `StoreDirectory` tells."""
        with self._lock:
            self._keys[key] = commis_id
            if len(self._keys) > MAX_KEYS_IN_MEMORY:
                self._keys.popitem(last=False)
        if on_disk:
            replace_file(layout.key_place(self._root, key), commis_id.encode(), self._modes)

    def of_key(self, key: str, *, on_disk: bool) -> str | None:
        """Give the commis or root run of a key, if it was seen before."""
        with self._lock:
            own_id = self._keys.get(key)
        if own_id is None and on_disk:
            try:
                own_id = read_id(layout.key_place(self._root, key))
            except OSError:
                return None
        return own_id if own_id is not None and layout.is_own_id(own_id) else None


def first_free(taken: Callable[[int], bool], start: int) -> int:
    """Find a number from `start` on that is free while the one before it is taken.

    Numbers are given in order, so doubling steps and then halving them finds the end after about
    2 log2(n) questions: 34 at 100,000.
    """
    if not taken(start):
        return start
    low, step = start, 1  # low is taken
    while taken(low + step):
        low += step
        step *= 2
    high = low + step  # high is free
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    return high


def highest_output(folder: Path) -> int:
    """Give the highest number among the files of a commis's tool outputs; 0 if there is none."""
    try:
        names = posix.listdir(folder)
    except OSError:
        return 0
    numbers = [name.partition("_")[0] for name in names]
    # A file that somebody else has put there has no say.
    return max((int(one) for one in numbers if one.isdecimal() and len(one) < 19), default=0)
