"""One root run of a concierge as it stands: what it did itself, and the commis that it started."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, Self

from zerg_visibility.clock import moment_in_name
from zerg_visibility.errors import CommisNotFoundError, RunNotFoundError
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.run import Child, RunFiles
from zerg_visibility.records.runs import ConciergeRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.directory import StoreDirectory
from zerg_visibility.store.layout import concierge_dir, is_own_id
from zerg_visibility.store.liveness import ProcessMark
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals, DescendantTotals

COMMIS_READ = 1000
"""So many commis of one run are read for their sums."""


class Concierge(RunFiles):
    """One root run of a concierge as it stood when it was read; each of its files is read once.

    Args:
        store: Where it lies.
        concierge_id: The name of its directory.
        now_us: Microseconds since 1970: up to when a running one runs; now if not given.
    """

    def __init__(self, store: StoreDirectory, concierge_id: str, now_us: int | None = None) -> None:
        folder = concierge_dir(store.root, concierge_id)
        super().__init__(f"concierge run {concierge_id}", folder, now_us)
        self.concierge_id = concierge_id
        self._store = store

    @classmethod
    def find(cls, store: StoreDirectory, concierge_id: str) -> Self:
        """Find a run by its concierge id.

        Raises:
            RunNotFoundError: There is none.
        """
        if not (is_own_id(concierge_id) and concierge_dir(store.root, concierge_id).is_dir()):
            raise RunNotFoundError(f"no concierge run {concierge_id[:80]!r} in {store.root}")
        return cls(store, concierge_id)

    @cached_property
    def run(self) -> ConciergeRunRecord | None:
        """The record of the run as a whole; None if it has not ended, or could not say so."""
        lines = self._lines[1].items
        return next((one for one in reversed(lines) if isinstance(one, ConciergeRunRecord)), None)

    @cached_property
    def begun(self) -> CallStarted | None:
        """The line that says that it began; None if it could not be written."""
        runs = (start for start in self.starts if start.event == ConciergeRunRecord.event)
        return next(runs, None)

    @cached_property
    def status(self) -> str:
        """How it ended; else `running`, or `lost` if its process is gone or not named."""
        if self.run is not None:
            return self.run.status
        begun = self.begun
        if begun is None or begun.pid is None or begun.host is None:
            return "lost"
        mark = ProcessMark(pid=begun.pid, pid_started=begun.pid_started, host=begun.host)
        return "lost" if mark.is_gone() else "running"

    def _commis(self, commis_id: str) -> Commis:
        return Commis.find(self._store, commis_id)

    @property
    def _known(self) -> ConciergeRunRecord | CallStarted | None:
        return self.run or self.begun

    @property
    def name(self) -> str:
        """What its graph is called."""
        return self._known.name if self._known else "concierge"

    @property
    def error(self) -> str | None:
        """Why it failed, on one line; of one that cannot be read, why not."""
        return self.run.error if self.run else self.problem

    @cached_property
    def problem(self) -> str | None:  # type: ignore[override]
        """Why what is known of it as a whole cannot be read, if it cannot."""
        starts, records = self._lines
        return None if self._known else records.problem or starts.problem

    @property
    def trace_id(self) -> str | None:
        """32 hex digits of its trace, where they are known."""
        lines = (self.run, self.begun, *self.records.items[:1])
        return next((line.trace_id for line in lines if line and line.trace_id), None)

    @property
    def thread_id(self) -> str | None:
        """The LangGraph thread, where there is one."""
        return self._known.thread_id if self._known else None

    @cached_property
    def at_work_ms(self) -> int | None:
        """Milliseconds it took, or has taken so far; None if that cannot be read."""
        return None if self.problem else max(0, self.until_us - self.start_us) // 1000

    @cached_property
    def until_us(self) -> int:
        """When it ended, or how far it is known to have run; microseconds since 1970."""
        if self.run is not None:
            return self.run.end_us
        return self.now_us if self.status == "running" else self.sign_of_life_us or self.start_us

    @cached_property
    def start_us(self) -> int:
        """When it began, in microseconds since 1970."""
        if self._known:
            return self._known.start_us
        return moment_in_name(self.concierge_id) or self.now_us

    @cached_property
    def commis(self) -> tuple[CommisMetadata, ...]:
        """The first 1,000 of the commis that it started, as they stand now."""
        return self._known_of(self.children[:COMMIS_READ])

    def _known_of(self, children: Iterable[Child]) -> tuple[CommisMetadata, ...]:
        found = []
        for child in children:
            with suppress(CommisNotFoundError):  # pruned, or no id of ours
                found.append(Commis.find(self._store, child.commis_id).metadata)
        return tuple(found)

    @property
    def descendants(self) -> DescendantTotals | None:
        """Sums over its commis and those below them, as far as in this run; None without any."""
        if not self.commis:
            return None
        seen = {one.commis_id for one in self.commis}
        return DescendantTotals.sum_of(self._used_by(one, seen) for one in self.commis)

    def _used_by(self, known: CommisMetadata, seen: set[str]) -> DescendantTotals:
        if all(run.concierge_id == self.concierge_id for run in known.runs):
            return DescendantTotals.of(known)
        # Its sums also hold what it did in the run that it was resumed from, or resumed by.
        commis = Commis(self._store, known)
        calls = [one for one in commis.timeline.calls if one.concierge_id == self.concierge_id]
        own = replace(known, totals=CommisTotals.of(calls), descendants=None)
        parts = [DescendantTotals.of(own)]
        for below in self._known_of(one for one in commis.children if one.commis_id not in seen):
            seen.add(below.commis_id)
            if any(run.concierge_id == self.concierge_id for run in below.runs):
                parts.append(self._used_by(below, seen))
        return DescendantTotals.sum_of(parts)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of `zerg-visibility show CONCIERGE_ID --json`."""
        return {**self.summary(), "commis": [one.to_dict() for one in self.commis],
                **super().to_dict()}  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """Give the JSON object of `zerg-visibility list --runs --json`."""
        run = {} if self.run is None else self.run.to_dict()
        begun = {} if self.begun is None else self.begun.to_dict()
        known = {"concierge_id": self.concierge_id, **begun, **run}
        return {**known, "status": self.status, "duration_ms": self.at_work_ms,
                "totals": asdict(self.totals), "commis_started": len(self.children)}  # fmt: skip
