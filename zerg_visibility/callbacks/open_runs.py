"""The one table of open runs: what has started, and has not ended yet.

Everything that could leak is in here: an entry leaves by `pop` on end or on error, and whatever is
left when its root run ends is swept. What others may have been started in is remembered for a while
after that: a thread, or a task that nobody awaits, can outlive all that encloses it.
"""

from __future__ import annotations

from collections.abc import Callable

from zerg_visibility.callbacks.runs import OpenCall, OpenRun, RootRun, RunId
from zerg_visibility.forksafe import ForkSafe

ENDED_REMEMBERED = 1_000
"""So many runs that ended last are remembered at least, and twice as many at most."""


class OpenRuns(ForkSafe):
    """Open runs by LangChain's run id; safe to use from several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[RunId, OpenRun] = {}
        self.get: Callable[[RunId | None], OpenRun | None] = self._entries.get  # type: ignore[assignment]
        """Give an open run; the dictionary's own method, since this is called for every event."""
        # Two generations instead of an order: what is remembered costs one entry a run.
        self._ended: dict[RunId, OpenRun] = {}
        self._ended_before: dict[RunId, OpenRun] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get_ended(self, run_id: RunId) -> OpenRun | None:
        """Give a chain run or tool call that has ended lately."""
        return self._ended.get(run_id) or self._ended_before.get(run_id)

    def add_chain(self, run_id: RunId, entry: OpenRun) -> None:
        """Note that a chain run has started."""
        entry.root.chains.add(run_id)
        self._entries[run_id] = entry

    def pop_chain(self, run_id: RunId) -> OpenRun | None:
        """Take out a chain run that has ended; None if it is not open any more."""
        entry = self._entries.pop(run_id, None)
        if entry is not None:
            entry.root.chains.discard(run_id)
            self._remember(run_id, entry)
        return entry

    def add_call(self, call: OpenCall) -> None:
        """Note that an LLM or tool call has started."""
        parent = call.parent
        if parent is not None:
            if parent.children is None:
                with self._lock:
                    if parent.children is None:
                        parent.children = set()
            parent.children.add(call)
        if call.inside is not None:
            call.inside.open_calls.add(call)
        call.root.calls[call.run_id] = call
        self._entries[call.run_id] = call

    def get_call(self, run_id: RunId) -> OpenCall | None:
        """Give an open call."""
        entry = self._entries.get(run_id)
        return entry if isinstance(entry, OpenCall) else None

    def pop_call(self, run_id: RunId) -> OpenCall | None:
        """Take out a call that has ended; of several that want to end it, exactly one gets it."""
        entry = self._entries.pop(run_id, None)
        if not isinstance(entry, OpenCall):
            return None
        entry.root.calls.pop(run_id, None)
        if entry.parent is not None and entry.parent.children is not None:
            entry.parent.children.discard(entry)
        if entry.inside is not None:
            entry.inside.open_calls.discard(entry)
        if entry.stop_watching is not None:
            entry.stop_watching()
            entry.stop_watching = None
        if entry.call is entry:  # a tool; nothing is ever started in a model's call
            self._remember(run_id, entry)
        return entry

    def snapshot(self) -> list[OpenRun]:
        """Give all runs that are open."""
        while True:
            try:
                return list(self._entries.values())
            except RuntimeError:
                continue  # the garbage collector has ended a run in between

    def oldest(self) -> tuple[RunId, OpenRun]:
        """Give the run that started first of those that are open."""
        while True:
            try:
                run_id = next(iter(self._entries))
                return run_id, self._entries[run_id]
            except (RuntimeError, KeyError):
                continue  # another thread has begun or ended a run in between

    def sweep_chains(self, root: RootRun, is_at_work: Callable[[OpenRun], bool]) -> None:
        """Take out the chain runs that a root left behind; LangChain did not report their end."""
        for run_id in list(root.chains):
            entry = self._entries.get(run_id)
            if entry is None or not is_at_work(entry):
                self._entries.pop(run_id, None)
                root.chains.discard(run_id)
                if entry is not None:
                    self._remember(run_id, entry)

    def _remember(self, run_id: RunId, entry: OpenRun) -> None:
        """Remember a run that has ended, and let go of those that ended long before it."""
        ended = self._ended
        ended[run_id] = entry
        if len(ended) < ENDED_REMEMBERED:
            return
        fresh: dict[RunId, OpenRun] = {}
        with self._lock:
            if self._ended is ended:  # or another thread has seen it full as well
                # In this order, so that whoever looks meanwhile finds it in one place or both.
                self._ended_before = ended
                self._ended = fresh
