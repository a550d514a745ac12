"""The commis that this process knows."""

from __future__ import annotations

from weakref import WeakValueDictionary

from zerg_visibility.commis.live import LiveCommis
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe


class LiveRegistry(ForkSafe):
    """One LiveCommis for each commis, as long as anybody refers to it: a segment, or a late call.

    Nothing in here waits, or asks for another lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: WeakValueDictionary[tuple[str, str], LiveCommis] = WeakValueDictionary()

    def add(self, store: CommisStore, live: LiveCommis) -> None:
        """Note a new commis."""
        with self._lock:
            self._known[str(store.root), live.commis_id] = live

    def find(self, store: CommisStore, commis_id: str, diagnostics: Diagnostics) -> LiveCommis:
        """Give a commis as this process knows it; one that it does not know is still to be read."""
        key = (str(store.root), commis_id)
        with self._lock:
            live = self._known.get(key)
            if live is None:
                live = self._known[key] = LiveCommis(store, commis_id, diagnostics)
            return live


registry = LiveRegistry()
"""The commis that this process knows."""
