"""Making records of calls that have ended, and handing them to run_log, log and sinks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from zerg_visibility.callbacks.runs import OpenCall
from zerg_visibility.callbacks.usage import Answer
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord
from zerg_visibility.records.codec import AnyRecord
from zerg_visibility.run_log import RunLog
from zerg_visibility.sinks.base import Sink
from zerg_visibility.sinks.fanout import FanoutSink, flush_at_exit
from zerg_visibility.sinks.log import LogSink


class RecordBuilder(ForkSafe):
    """Makes records and emits them; safe to use from several threads.

    Args:
        diagnostics: Counts and logs what fails on the way.
        logger: Where Tier 3 lines go; the `zerg_visibility` logger if None.
        sinks: Taken as well as the files and the log.
    """

    def __init__(
        self, diagnostics: Diagnostics, logger: logging.Logger | None, sinks: Sequence[Sink]
    ) -> None:
        super().__init__()
        self._diagnostics = diagnostics
        self._sinks = FanoutSink(sinks, diagnostics)
        self._log_and_sinks = FanoutSink((LogSink(logger), *sinks), diagnostics)
        if sinks:
            flush_at_exit(self._sinks)
        self._records = 0

    @property
    def records(self) -> int:
        """How many records were made."""
        return self._records

    def flush(self, timeout_s: float) -> bool:
        """Flush the sinks that were passed in; say whether all managed within the time."""
        return self._sinks.flush(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Flush and close them; say whether all managed within the time."""
        return self._sinks.close(timeout_s)

    def llm_call(self, call: OpenCall, ended_ns: int, answer: Answer, error: str | None) -> None:
        """Record a model call that ended, or failed with an error, with as much as it answered."""
        run_log = call.run_log
        phase, ttft_ms = call.hint, None
        if run_log is not None:
            asks_for_tools = not call.schemas.issuperset(answer.tool_names)
            phase = run_log.phase(call.hint, success=error is None, asks_for_tools=asks_for_tools)
            if call.try_key is not None:
                run_log.history.note_model(call.try_key, call.asked, success=error is None)
        if call.first_token_ns is not None:
            ttft_ms = max(0, call.first_token_ns - call.start_ns) // 1_000_000
        record = LLMCallRecord(
            phase=phase,
            model=call.shown(answer.served_model) or call.name,
            ttft_ms=ttft_ms,
            requested_model=call.name,
            provider=call.provider,
            cache_hit=answer.cache_hit or None,
            finish_reason=call.shown(answer.finish_reason),
            **answer.usage,
            **_of_any(call, ended_ns, error),
        )
        self._emit_call(call, record)

    def tool_call(
        self,
        call: OpenCall,
        ended_ns: int,
        error: str | None,
        stored: tuple[str, int] | None = None,
    ) -> None:
        """Record a tool call; its output may be stored in a file, of so many bytes."""
        output_file, output_bytes = stored or (None, None)
        record = ToolCallRecord(
            tool=call.name or "tool",
            tool_call_id=call.tool_call_id,
            output_file=output_file,
            output_bytes=output_bytes,
            args_bytes=call.args_bytes,
            **_of_any(call, ended_ns, error),
        )
        self._emit_call(call, record)

    def emit(self, record: AnyRecord, run_log: RunLog | None, *, is_mine: bool = True) -> None:
        """Hand on one record; if it is not ours to log, another handler has done so."""
        with self._lock:
            self._records += 1
        if run_log is not None:
            try:
                run_log.add(record)
            except Exception as error:
                self._diagnostics.note(f"write a {record.event} to its file", error, dropped=1)
        (self._log_and_sinks if is_mine else self._sinks).emit(record)

    def _emit_call(self, call: OpenCall, record: LLMCallRecord | ToolCallRecord) -> None:
        self.emit(record, call.run_log, is_mine=call.run_log is not None)
        commis = call.inside
        if commis is not None and commis.ended and commis.on_late_record is not None:
            commis.on_late_record(record)


def _of_any(call: OpenCall, ended_ns: int, error: str | None) -> dict[str, Any]:
    """Give what a model's call and a tool's have both."""
    commis, root = call.inside, call.root
    return {
        "start_us": call.start_us,
        "end_us": call.start_us + max(0, ended_ns - call.start_ns) // 1000,
        "success": error is None,
        "error": error,
        "node": call.node,
        "attempt": call.attempt,
        "agent": call.agent,
        "ns": call.ns,
        "commis_id": None if commis is None else commis.commis_id,
        "commis_name": None if commis is None else commis.name,
        "concierge_id": root.concierge_id,
        "trace_id": root.trace_id,
        "span_id": call.span_id,
        "parent_span_id": call.parent_span_id,
    }
