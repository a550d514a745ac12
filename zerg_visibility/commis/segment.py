"""One segment of a commis: from start, resume or retry to the next time it stops.

The parts of a commis that are slow or can fail (files) are all behind one guard here; what the
graph does never depends on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import (
    GraphBubbleUp,
    GraphDrained,
    GraphInterrupt,
    NodeTimeoutError,
    ParentCommand,
)

from zerg_visibility.callbacks.context import InsideCommis
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.callbacks.runs import FAILURES_MAX, ActiveSegment, RootRun
from zerg_visibility.clock import format_us
from zerg_visibility.commis.live import LiveCommis, Turn
from zerg_visibility.commis.options import CommisOptions
from zerg_visibility.commis.registry import registry
from zerg_visibility.commis.texts import plain_json, result_text, thread_text
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.errortext import ERROR_MAX, error_text
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.status import CommisStatus
from zerg_visibility.store import layout
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.runs import ASKED_MAX, SegmentRun
from zerg_visibility.words import one_line


class Segment:
    """A commis at work.

    Args:
        live: The commis, with its directory.
        handler: The callback handler that sees its events.
        options: How it is watched.
        store: Where its directory lies.
        config: The config to run it with; it holds the handler.
        given: The graph's input.
        root: The root run that it belongs to.
        outer: The commis that started it; None if the concierge did.
        span_id: 16 hex digits of its own span.
        parent_span_id: The span that started it.
        first: Whether the commis begins with it.
        turn: Stands for it in the live.
    """

    def __init__(
        self,
        *,
        live: LiveCommis,
        handler: VisibilityCallbackHandler,
        options: CommisOptions,
        store: CommisStore,
        config: RunnableConfig | None,
        given: Any,
        root: RootRun,
        outer: ActiveSegment | None,
        span_id: str,
        parent_span_id: str | None,
        first: bool,
        turn: Turn,
    ) -> None:
        self.config = config
        self.result: str | None = None
        """Its result as text, once it has ended with a state."""
        self._live = live
        self._turn = turn
        self._pid = os.getpid()
        self._handler = handler
        self._options = options
        self._store = store
        self._given = given
        self._parent_span_id = parent_span_id
        self._outer = outer
        self._span_id = span_id
        start_us, begun_ns = handler.clock.wall_us(), handler.clock.monotonic_ns()
        run = SegmentRun(
            span_id=span_id,
            parent_span_id=parent_span_id,
            trace_id=root.trace_id,
            concierge_id=root.concierge_id,
            start_ts=format_us(start_us),
        )
        self._guarded("write a commis's metadata.json", live.begin_segment, turn, run, first)
        self._context = ActiveSegment(
            commis_id=live.commis_id,
            attempt=live.attempts,
            span_id=span_id,
            root=root,
            run_log=live.run_log,
            owner=handler.tracker,
            name=live.metadata.name,
            parent_span_id=parent_span_id,
        )
        self.active = InsideCommis(self._context, handler)
        """Marks what runs inside as this commis's; nothing leaks out between two steps."""
        # Last, so that our own files are not counted as the commis's work.
        self._start_ns = handler.clock.monotonic_ns()
        self._start_us = start_us + (self._start_ns - begun_ns) // 1000
        self._context.start_us = self._start_us
        self._context.job_id = live.metadata.job_id

    @property
    def metadata(self) -> CommisMetadata:
        """What is known of the commis now."""
        return self._live.metadata

    def end(self, error: BaseException | None, *, has_own_limit: bool) -> None:
        """Close the segment: whatever can fail in here fails alone, and never reaches the graph.

        Args:
            error: What the graph raised, if it did.
            has_own_limit: Whether its graph has a time limit for its steps.
        """
        if isinstance(error, GeneratorExit) and os.getpid() != self._pid:
            return  # a child that was forked from this process drops its copy of the stream
        self._guarded("end a commis", self._end, error, has_own_limit)
        registry.release(self._store, self._live)

    def _end(self, error: BaseException | None, has_own_limit: bool) -> None:
        handler, context, live = self._handler, self._context, self._live
        end_ns = handler.clock.monotonic_ns()
        status = self._status(error, has_own_limit)
        text = None
        if status in {"failed", "timeout"} and error is not None:
            text = self._error_text(error)
        duration_us = max(0, end_ns - self._start_ns) // 1000
        record = CommisRunRecord(
            name=live.metadata.name,
            job_id=live.metadata.job_id,
            commis_id=live.commis_id,
            status=status,
            start_us=self._start_us,
            end_us=self._start_us + duration_us,
            error=text,
            concierge_id=context.root.concierge_id,
            trace_id=context.root.trace_id,
            span_id=self._span_id,
            parent_span_id=self._parent_span_id,
        )
        outer = self._outer.run_log if self._outer is not None else None
        reason = "timeout" if status == "timeout" else "cancelled"
        self._guarded("close a commis's calls", self._close, reason, record, outer)
        # What it leaves comes before its status: who reads "success" finds a result.
        if status == "success":
            self._guarded("store a commis's result", self._store_result, error)
            if "messages" in self._options.capture:
                self._guarded("store a commis's messages", self._store_messages, error)
        self._guarded(
            "write a commis's metadata.json",
            live.end_segment,
            self._turn,
            record,
            duration_us,
            self._asked(error) if status == "interrupted" else None,
        )
        # The ended run is remembered for a while; what its graph left behind need not be.
        context.output = context.inner_error = None
        context.questions = ()
        context.failures.clear()

    def _close(self, reason: str, record: CommisRunRecord, outer: Any) -> None:
        self._context.ended = True
        # Without the segment itself, which holds all that its graph was given.
        diagnostics = self._handler.diagnostics
        self._context.on_late_record = partial(_take_late, self._live, diagnostics)
        self._handler.tracker.end_commis(self._context, reason, record, outer)

    def _status(self, error: BaseException | None, has_own_limit: bool) -> CommisStatus:
        if error is None:
            return "interrupted" if self._context.interrupted else "success"
        if isinstance(error, ParentCommand):
            return "success"
        if isinstance(error, GraphDrained):
            return "cancelled"
        if isinstance(error, GraphBubbleUp):
            return "interrupted"
        if not isinstance(error, Exception):
            return "cancelled"  # CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit
        if isinstance(error, NodeTimeoutError):
            return "timeout"
        if isinstance(error, TimeoutError) and has_own_limit:
            # A tool may raise TimeoutError too; that one passed through a run inside.
            return "failed" if self._context.inner_error is error else "timeout"
        return "failed"

    def _error_text(self, error: BaseException) -> str:
        """Say why it failed; a commis inside of it may have had more to hide than this one."""
        context, redact = self._context, self._live.run_log.redact
        known = context.failures.text_of(error)
        if known is not None:
            text = one_line(redact(known), ERROR_MAX)
        else:
            text = error_text(error, redact)
        around = self._outer or context.root
        if self._outer is not None or context.root.concierge_id is not None:
            # What has ended clears nothing any more, though a tool in it may still ask.
            around.failures.note(error, text, keep=1 if around.ended else FAILURES_MAX)
        for root in list(context.watchers.values()):
            root.failures.note(error, text, keep=1 if root.ended else FAILURES_MAX)
        return text

    def _asked(self, error: BaseException | None) -> str | None:
        """Say what a human is asked; nothing if the graph stopped without a question."""
        try:
            found = error.args[0] if isinstance(error, GraphInterrupt) else self._context.questions
            texts = [
                asked if isinstance(asked := one.value, str) else plain_json(asked)
                for one in found or ()
            ]
            return one_line(self._live.run_log.redact("; ".join(texts)), ASKED_MAX) or None
        except Exception as failure:
            self._handler.diagnostics.note("tell what a human is asked", failure, withheld=True)
            return None

    def _left_behind(self, error: BaseException | None) -> Any:
        """Give the state that it ended with; after a handoff, what it handed over."""
        return error.args[0].update if isinstance(error, ParentCommand) else self._context.output

    def _store_result(self, error: BaseException | None) -> None:
        state = self._left_behind(error)
        give, run_log = self._options.result, self._live.run_log
        try:
            text = result_text(state, self._given) if give is None else give(state)
        except Exception as failure:
            self._handler.diagnostics.note(
                "make a result text of a commis's state",
                failure,
                withheld=run_log.redact is not str,
            )
            text = result_text(state, self._given) if give is not None else str(state)
        self.result = run_log.redact(str(text))
        if "result" in self._options.capture:
            self._live.store(self._turn, layout.RESULT, self.result)

    def _store_messages(self, error: BaseException | None) -> None:
        text = thread_text(self._left_behind(error), self._live.run_log.redact)
        if text:
            self._live.store(self._turn, layout.THREAD, text)

    def _guarded(self, doing: str, step: Callable[..., None], *args: Any) -> None:
        try:
            step(*args)
        except Exception as error:
            self._handler.diagnostics.note(doing, error)


def _take_late(live: LiveCommis, diagnostics: Diagnostics, record: Record) -> None:
    """Add up a call that came after the end: of a tool that nobody could stop in time."""
    try:
        registry.take_late(live, record)
    except Exception as error:
        diagnostics.note("add up a late call", error)
