"""The commis that are at work in this process."""

from __future__ import annotations

from collections.abc import Callable

from zerg_visibility.commis.dossier import Dossier
from zerg_visibility.locking import Locked
from zerg_visibility.store.commis import CommisStore


class DossierShelf(Locked):
    """The commis that this process has open, so that two segments of one share its state."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[tuple[str, str], Dossier] = {}

    def take(self, store: CommisStore, commis_id: str, load: Callable[[], Dossier]) -> Dossier:
        """Give the open dossier of a commis, else load it."""
        key = (str(store.root), commis_id)
        with self._lock:
            dossier = self._open.get(key)
            if dossier is None:
                dossier = self._open[key] = load()
            return dossier

    def put(self, store: CommisStore, dossier: Dossier) -> None:
        """Note that a new commis is open."""
        with self._lock:
            self._open[(str(store.root), dossier.commis_id)] = dossier

    def release(self, store: CommisStore, dossier: Dossier) -> None:
        """Forget a commis once none of its segments runs any more."""
        with self._lock:
            if dossier.is_idle:
                self._open.pop((str(store.root), dossier.commis_id), None)


shelf = DossierShelf()
"""The commis at work in this process."""
