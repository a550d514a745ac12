"""The directories of the commis, each with a name of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.store import layout
from zerg_visibility.store.files import FileModes, make_folder
from zerg_visibility.store.numbering import first_free
from zerg_visibility.store.system import posix


class CommisFolders(ForkSafe):
    """The folder `commis/`.

    A name belongs to whoever creates the directory, so processes need no lock between them.

    Args:
        root: The store's root.
        modes: Permissions for what is created.
    """

    def __init__(self, root: Path, modes: FileModes) -> None:
        super().__init__()
        self._root = root
        self._modes = modes
        self._next_suffix: tuple[str, int] = ("", 2)

    def has(self, commis_id: str) -> bool:
        """Say whether there is such a commis, or there may be."""
        try:
            mode = posix.stat(layout.commis_place(self._root, commis_id)).st_mode
        except PermissionError:
            return True  # reading it will say why it cannot be read
        except OSError:
            return False
        return stat.S_ISDIR(mode)

    def make(self, wanted: str) -> str:
        """Make a directory, and give its name: the wanted one, else with `-2`, `-3`, ... added.

        Raises:
            OSError: It cannot be made.
        """
        parent = f"{self._root}/{layout.COMMIS}"
        if self._try(f"{parent}/{wanted}"):
            return wanted
        while True:
            with self._lock:
                known, hint = self._next_suffix
            start = hint if known == wanted else 2
            number = first_free(lambda n: os.path.lexists(f"{parent}/{wanted}-{n}"), start)
            with self._lock:
                self._next_suffix = (wanted, number + 1)
            if self._try(f"{parent}/{wanted}-{number}"):
                return f"{wanted}-{number}"

    def make_as(self, commis_id: str) -> None:
        """Make the directory of a commis that has its id already, if it is not there.

        Raises:
            OSError: It cannot be made.
        """
        make_folder(layout.commis_place(self._root, commis_id), self._modes)

    def _try(self, path: str) -> bool:
        try:
            posix.mkdir(path, self._modes.folder)
        except FileExistsError:
            return False
        except FileNotFoundError:
            for name in (layout.COMMIS, layout.JOBS):
                make_folder(self._root / name, self._modes)
            return self._try(path)
        return True
