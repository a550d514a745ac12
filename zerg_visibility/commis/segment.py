"""One segment of a commis: from start, resume or retry to the next time it stops.

The parts of a commis that are slow or can fail (files) are all behind one guard here; what the
graph does never depends on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt, NodeTimeoutError, ParentCommand

from zerg_visibility.callbacks.context import InsideCommis
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.callbacks.runs import FAILURES_MAX, ActiveSegment, status_of
from zerg_visibility.clock import format_us
from zerg_visibility.commis.live import LiveCommis
from zerg_visibility.commis.texts import plain_json, result_text, thread_text
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import CommisStatus
from zerg_visibility.store import layout
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.runs import ASKED_MAX, SegmentRun
from zerg_visibility.words import one_line


class Segment:
    """Begins and ends a segment of a commis, and says how it went.

    `seen` is the segment as the handler's hooks see it, `given` the graph's input, and
    `give_result` the user's own way to a result from its output.
    """

    result: str | None = None
    """Its result as text, once it has ended with a state."""

    def __init__(
        self,
        live: LiveCommis,
        seen: ActiveSegment,
        handler: VisibilityCallbackHandler,
        config: RunnableConfig | None,
        given: Any,
        give_result: Callable[[Any], str] | None,
    ) -> None:
        self.config = config
        self.active = InsideCommis(seen, handler)
        """Marks what runs inside as this commis's; nothing leaks out between two steps."""
        self._live = live
        self._seen = seen
        self._pid = os.getpid()
        self._handler = handler
        self._guard = handler.diagnostics.guard
        self._given = given
        self._give_result = give_result
        self._start_us = handler.clock.wall_us()
        self._start_ns = handler.clock.monotonic_ns()

    @property
    def metadata(self) -> CommisMetadata:
        """What is known of the commis now."""
        return self._live.metadata

    def begin(self, *, is_first: bool) -> None:
        """Write that it begins; `is_first` if the commis was made for it."""
        live, seen, root = self._live, self._seen, self._seen.root
        run = SegmentRun(
            span_id=seen.span_id,
            parent_span_id=seen.parent_span_id,
            trace_id=root.trace_id,
            concierge_id=root.concierge_id,
            start_ts=format_us(self._start_us),
        )
        with self._guard("write a commis's metadata.json"):
            live.begin(seen, run, is_first=is_first)
        around = root.run_log if seen.outer is None else seen.outer.run_log
        if around is not None:
            start = CallStarted(
                event=CommisRunRecord.event,
                name=seen.name,
                span_id=seen.span_id,
                start_us=self._start_us,
                parent_span_id=seen.parent_span_id,
                commis_id=live.commis_id,
                job_id=live.job_id,
            )
            with self._guard("write a line of started.jsonl"):
                around.start(start.to_dict())
        # Last, so that our own files are not counted as the commis's work.
        begun_ns, self._start_ns = self._start_ns, self._handler.clock.monotonic_ns()
        self._start_us += (self._start_ns - begun_ns) // 1000
        seen.start_us = self._start_us

    def end(self, error: BaseException | None, *, has_own_limit: bool) -> None:
        """Close the segment; whatever can fail in here fails alone, and never reaches the graph."""
        if isinstance(error, GeneratorExit) and os.getpid() != self._pid:
            return  # a child that was forked from this process drops its copy of the stream
        with self._guard("end a commis"):
            self._end(error, has_own_limit)

    def _end(self, error: BaseException | None, has_own_limit: bool) -> None:
        live, seen = self._live, self._seen
        duration_us = max(0, self._handler.clock.monotonic_ns() - self._start_ns) // 1000
        status = self._status(error, has_own_limit)
        failure = error if status in {"failed", "timeout"} else None
        record = CommisRunRecord(
            name=seen.name,
            job_id=live.job_id,
            commis_id=live.commis_id,
            status=status,
            start_us=self._start_us,
            end_us=self._start_us + duration_us,
            error=None if failure is None else self._error_text(failure),
            concierge_id=seen.root.concierge_id,
            trace_id=seen.root.trace_id,
            span_id=seen.span_id,
            parent_span_id=seen.parent_span_id,
        )
        reason = "timeout" if status == "timeout" else "cancelled"
        seen.ended = True
        seen.on_late_record = live.note_late
        with self._guard("close a commis's calls"):
            self._handler.tracker.end_commis(seen, reason, record)
        # What it leaves comes before its status: who reads "success" finds a result.
        if status == "success":
            with self._guard("store a commis's result"):
                self.result = self._result_of(self._left_behind(error))
                if live.keeps(layout.RESULT):
                    live.keep(seen, layout.RESULT, self.result)
            with self._guard("store a commis's messages"):
                if live.keeps(layout.THREAD):
                    text = thread_text(self._left_behind(error), live.redact)
                    if text:
                        live.keep(seen, layout.THREAD, text)
        asked = self._asked(error) if status == "interrupted" else None
        with self._guard("write a commis's metadata.json"):
            live.end(seen, record, duration_us, asked)
        seen.let_go()

    def _status(self, error: BaseException | None, has_own_limit: bool) -> CommisStatus:
        status = status_of(error, interrupted=self._seen.interrupted)
        # A tool may raise TimeoutError too; that one passed through a run inside.
        is_own = isinstance(error, TimeoutError) and error is not self._seen.inner_error
        is_late = isinstance(error, NodeTimeoutError) or (is_own and has_own_limit)
        return "timeout" if is_late else status

    def _error_text(self, error: BaseException) -> str:
        """Say why it failed; a commis inside of it may have had more to hide than this one."""
        seen = self._seen
        text = seen.failures.reason(error, self._live.redact)
        for around in (seen.outer or seen.root, *list(seen.watchers.values())):
            if around is not seen.root or seen.root.concierge_id is not None:
                # What has ended clears nothing any more, though a tool in it may still ask.
                around.failures.note(error, text, keep=1 if around.ended else FAILURES_MAX)
        return text

    def _asked(self, error: BaseException | None) -> str | None:
        """Say what a human is asked; nothing if the graph stopped without a question."""
        try:
            found = error.args[0] if isinstance(error, GraphInterrupt) else self._seen.questions
            texts = [
                asked if isinstance(asked := one.value, str) else plain_json(asked)
                for one in found or ()
            ]
            return one_line(self._live.redact("; ".join(texts)), ASKED_MAX) or None
        except Exception as failure:
            self._handler.diagnostics.note("tell what a human is asked", failure, withheld=True)
            return None

    def _left_behind(self, error: BaseException | None) -> Any:
        """Give the state that it ended with; after a handoff, what it handed over."""
        return error.args[0].update if isinstance(error, ParentCommand) else self._seen.output

    def _result_of(self, state: Any) -> str:
        give, redact = self._give_result, self._live.redact
        try:
            text = result_text(state, self._given) if give is None else give(state)
        except Exception as failure:
            doing, withheld = "make a result text of a commis's state", redact is not str
            self._handler.diagnostics.note(doing, failure, withheld=withheld)
            text = result_text(state, self._given) if give is not None else str(state)
        return redact(str(text))
