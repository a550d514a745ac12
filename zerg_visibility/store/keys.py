"""Which commis a resumable run is."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.store import layout
from zerg_visibility.store.artifacts import read_id
from zerg_visibility.store.files import FileModes, replace_file

MAX_KEYS_IN_MEMORY = 4096
"""Runs remembered by one process; older ones are found on disk, if a checkpointer is used."""


class RunKeys(ForkSafe):
    """The folder `keys/`, and what this process remembers without it.

    Args:
        root: The store's root.
        modes: Permissions for what is created.
    """

    def __init__(self, root: Path, modes: FileModes) -> None:
        super().__init__()
        self._root = root
        self._modes = modes
        self._known: OrderedDict[str, str] = OrderedDict()

    def remember(self, key: str, commis_id: str, *, on_disk: bool) -> None:
        """Note which commis a run is.

        Args:
            key: 32 hex digits that name the run.
            commis_id: The commis.
            on_disk: Whether another process may have to find it.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            self._known[key] = commis_id
            if len(self._known) > MAX_KEYS_IN_MEMORY:
                self._known.popitem(last=False)
        if on_disk:
            replace_file(layout.key_file(self._root, key), commis_id.encode(), self._modes)

    def find(self, key: str, *, on_disk: bool) -> str | None:
        """Give the commis of a run, if it was seen before."""
        with self._lock:
            commis_id = self._known.get(key)
        if commis_id is None and on_disk:
            try:
                commis_id = read_id(layout.key_file(self._root, key))
            except OSError:
                return None
        return commis_id if commis_id is not None and layout.is_own_id(commis_id) else None
