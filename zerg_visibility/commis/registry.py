"""The commis that are at work in this process."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary

from zerg_visibility.commis.live import LiveCommis, Turn
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.records.codec import Record


class LiveRegistry(ForkSafe):
    """The commis that this process has open, so that two segments of one share its state."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[tuple[str, str], LiveCommis] = {}
        self._latest: WeakValueDictionary[tuple[str, str], LiveCommis] = WeakValueDictionary()

    def take(
        self,
        store: CommisStore,
        commis_id: str,
        turn: Turn,
        load: Callable[[LiveCommis | None], LiveCommis],
    ) -> LiveCommis:
        """Give the open live of a commis, else load it; it stays open for this turn.

        One that another process has gone on with is loaded anew.

        Args:
            store: Where it lies.
            commis_id: Which.
            turn: Stands for the segment that needs it.
            load: Loads it, given the one before, if that may have late calls.
        """
        key = (str(store.root), commis_id)
        with self._lock:
            live = self._open.get(key)
            if live is None or live.is_continued_elsewhere():
                earlier = self._latest.get(key)
                live = self._open[key] = self._latest[key] = load(earlier)
                if earlier is not None:
                    earlier.successor = live
            live.expect(turn)
            return live

    def put(self, store: CommisStore, live: LiveCommis, turn: Turn) -> None:
        """Note that a new commis is open for this turn."""
        key = (str(store.root), live.commis_id)
        with self._lock:
            self._open[key] = self._latest[key] = live
            live.expect(turn)

    def is_at_work(self, store: CommisStore, commis_id: str, execution: object) -> bool:
        """Say whether a segment of a commis is running that belongs to a given execution."""
        with self._lock:
            live = self._open.get((str(store.root), commis_id))
        return live is not None and execution is not None and live.runs_in(execution)

    def release(self, store: CommisStore, live: LiveCommis) -> None:
        """Forget a commis once none of its segments runs any more, or is about to."""
        with self._lock:
            key = (str(store.root), live.commis_id)
            if live.is_idle and self._open.get(key) is live:
                del self._open[key]

    def take_late(self, live: LiveCommis, record: Record) -> None:
        """Add up a record of a commis that another live may have gone on with since.

        Args:
            live: The one that the record was written by.
            record: A record that is in metrics.jsonl already, or could not be written.

        Raises:
            OSError: metadata.json could not be written.
        """
        latest = self._latest_after(live)
        if latest is not live:
            latest.take_over(record, live)
        latest.save_late()
        while (newer := self._latest_after(latest)) is not latest:
            # It began while this one was being written, which may have undone what it wrote.
            latest = newer
            latest.save_late()

    def _latest_after(self, live: LiveCommis) -> LiveCommis:
        """Give the live that goes on with a commis; waits for one that is being loaded."""
        with self._lock:
            while live.successor is not None:
                live = live.successor
            return live


registry = LiveRegistry()
"""The commis at work in this process."""
