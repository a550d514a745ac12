"""The commis that are at work in this process."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary

from zerg_visibility.commis.dossier import Dossier, Turn
from zerg_visibility.locking import Locked
from zerg_visibility.records import Record
from zerg_visibility.store.commis import CommisStore


class DossierShelf(Locked):
    """The commis that this process has open, so that two segments of one share its state."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[tuple[str, str], Dossier] = {}
        self._latest: WeakValueDictionary[tuple[str, str], Dossier] = WeakValueDictionary()

    def take(
        self,
        store: CommisStore,
        commis_id: str,
        turn: Turn,
        load: Callable[[Dossier | None], Dossier],
    ) -> Dossier:
        """Give the open dossier of a commis, else load it; it stays open for this turn.

        One that another process has gone on with is loaded anew.

        Args:
            store: Where it lies.
            commis_id: Which.
            turn: Stands for the segment that needs it.
            load: Loads it, given the one before, if that may have late calls.
        """
        key = (str(store.root), commis_id)
        with self._lock:
            dossier = self._open.get(key)
            if dossier is None or dossier.is_continued_elsewhere():
                earlier = self._latest.get(key)
                dossier = self._open[key] = self._latest[key] = load(earlier)
                if earlier is not None:
                    earlier.successor = dossier
            dossier.expect(turn)
            return dossier

    def put(self, store: CommisStore, dossier: Dossier, turn: Turn) -> None:
        """Note that a new commis is open for this turn."""
        key = (str(store.root), dossier.commis_id)
        with self._lock:
            self._open[key] = self._latest[key] = dossier
            dossier.expect(turn)

    def is_at_work(self, store: CommisStore, commis_id: str, execution: object) -> bool:
        """Say whether a segment of a commis is running that belongs to a given execution."""
        with self._lock:
            dossier = self._open.get((str(store.root), commis_id))
        return dossier is not None and execution is not None and dossier.runs_in(execution)

    def release(self, store: CommisStore, dossier: Dossier) -> None:
        """Forget a commis once none of its segments runs any more, or is about to."""
        with self._lock:
            key = (str(store.root), dossier.commis_id)
            if dossier.is_idle and self._open.get(key) is dossier:
                del self._open[key]

    def take_late(self, dossier: Dossier, record: Record) -> None:
        """Add up a record of a commis that another dossier may have gone on with since.

        Args:
            dossier: The one that the record was written by.
            record: A record that is in metrics.jsonl already, or could not be written.

        Raises:
            OSError: metadata.json could not be written.
        """
        latest = self._latest_after(dossier)
        if latest is not dossier:
            latest.take_over(record, dossier)
        latest.save_late()
        while (newer := self._latest_after(latest)) is not latest:
            # It began while this one was being written, which may have undone what it wrote.
            latest = newer
            latest.save_late()

    def _latest_after(self, dossier: Dossier) -> Dossier:
        """Give the dossier that goes on with a commis; waits for one that is being loaded."""
        with self._lock:
            while dossier.successor is not None:
                dossier = dossier.successor
            return dossier


shelf = DossierShelf()
"""The commis at work in this process."""
