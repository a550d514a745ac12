"""What a concierge itself did: the files of one root run, from its first call to its end."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import UUID

from zerg_visibility.callbacks.builder import RecordBuilder
from zerg_visibility.callbacks.runs import NAME_MAX, RootRun, status_of
from zerg_visibility.clock import Clock
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.records.runs import ConciergeRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.redaction import Redact
from zerg_visibility.run_log import RunLog
from zerg_visibility.store import layout
from zerg_visibility.store.liveness import this_process
from zerg_visibility.words import one_line

IDS = ("thread_id", "run_id", "assistant_id", "graph_id", "user_id")
"""Taken over from the config's metadata, where a server sets them."""


class ConciergeFiles(ForkSafe):
    """The folder `concierge/` as one handler writes it.

    A root run has a folder from the moment that a call or a commis starts in it: a graph that does
    neither, or a prompt template that is used on its own, leaves nothing.
    """

    def __init__(
        self,
        store: CommisStore,
        redact: Redact,
        builder: RecordBuilder,
        diagnostics: Diagnostics,
        clock: Clock,
    ) -> None:
        super().__init__()
        self._store = store
        self._redact = redact
        self._builder = builder
        self._diagnostics = diagnostics
        self._clock = clock

    def run_log(self, root: RootRun) -> RunLog:
        """Give the run_log of a root run; the first to ask for it begins its files."""
        if root.run_log is not None:
            return root.run_log
        run_log = RunLog(self._store, self._redact)
        if root.concierge_id is not None:
            folder = layout.concierge_dir(self._store.root, root.concierge_id)
            run_log.open(folder)
        with self._lock:
            # Others find it only now that it can be written to.
            if root.run_log is not None:
                return root.run_log
            root.run_log = run_log
        if root.concierge_id is not None:
            with self._diagnostics.guard("note which trace a run is part of"):
                self._store.note_trace(root.trace_id, root.concierge_id)
        if root.name is not None:
            self._write_start(root, root.name, run_log)
            self._write_end(root, run_log)  # it may have ended before its first call
        return run_log

    def end(self, root: RootRun, error: BaseException | None) -> None:
        """Write how a root run ended, or once it has files: what outlives it may be all it does."""
        if root.name is not None:
            duration_us = max(0, self._clock.monotonic_ns() - root.start_ns) // 1000
            status = status_of(error, interrupted=root.interrupted)
            failure = error if status == "failed" else None
            root.outcome = ConciergeRunRecord(
                name=self._name(root.name),
                status=status,
                start_us=root.start_us,
                end_us=root.start_us + duration_us,
                error=None if failure is None else root.failures.reason(failure, self._redact),
                concierge_id=root.concierge_id,
                trace_id=root.trace_id,
                span_id=root.span_id,
                parent_span_id=root.parent_span_id,
                continues=root.continues,
                labels=root.labels or None,
                **{name: self._id(root, name) for name in IDS},
            )
            if root.run_log is not None:
                self._write_end(root, root.run_log)
        root.failures.clear()

    def note_interrupt(self, root: RootRun, checkpoint_id: str) -> None:
        """Note where a root run stopped, for the one that resumes it; the first there is kept."""
        # A run without files has nothing to go on from, and without a thread nothing can.
        if root.concierge_id and root.run_log is not None and "thread_id" in root.metadata:
            key = _key(root, checkpoint_id)
            if self._store.concierge_of_key(key) is None:
                self._store.remember_key(key, root.concierge_id, on_disk=True)

    def note_resume(self, root: RootRun, checkpoint_id: str) -> None:
        """Note that a root run goes on from where another one stopped."""
        if root.concierge_id is not None:
            root.continues = self._store.concierge_of_key(_key(root, checkpoint_id))

    def _write_end(self, root: RootRun, run_log: RunLog) -> None:
        with self._lock:
            record, root.outcome = root.outcome, None
        if record is not None:
            self._builder.emit(record, run_log)

    def _name(self, name: str) -> str:
        return one_line(self._redact(name), NAME_MAX) or "concierge"

    def _write_start(self, root: RootRun, name: str, run_log: RunLog) -> None:
        mark = this_process()
        start = CallStarted(
            event=ConciergeRunRecord.event,
            name=self._name(name),
            span_id=root.span_id,
            start_us=root.start_us,
            parent_span_id=root.parent_span_id,
            trace_id=root.trace_id,
            thread_id=self._id(root, "thread_id"),
            pid=mark.pid,
            pid_started=mark.pid_started,
            host=mark.host,
        )
        with self._diagnostics.guard("write a line of started.jsonl"):
            run_log.start(start.to_dict())

    def _id(self, root: RootRun, name: str) -> str | None:
        """Take over an id from the config's metadata, where anything may stand."""
        value: Any = root.metadata.get(name)
        if not isinstance(value, str | int | UUID) or isinstance(value, bool):
            return None
        try:
            return one_line(self._redact(str(value)), NAME_MAX) or None
        except ValueError:  # a number of more digits than Python likes to write
            return None


def _key(root: RootRun, checkpoint_id: str) -> str:
    """Name an interrupt: LangGraph tells of it and of its resume with one id of a checkpoint."""
    text = f"concierge\0{root.metadata.get('thread_id')}\0{checkpoint_id}"
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
