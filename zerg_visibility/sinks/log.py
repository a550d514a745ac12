"""Tier 3: each record as one INFO line of the `zerg_visibility` logger."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

from zerg_visibility.records.calls import LLMCallRecord
from zerg_visibility.records.codec import AnyRecord, Record
from zerg_visibility.records.runs import CommisRunRecord, ConciergeRunRecord
from zerg_visibility.settings import LOGGER_NAME

# What every LogRecord has, as logging itself makes it; what differs from line to line is set then.
_ALWAYS: dict[str, Any] = {}


def _note_process() -> None:
    made = logging.LogRecord("", logging.INFO, __file__, 0, "", (), None, "emit")
    _ALWAYS.update(made.__dict__)
    if sys.version_info >= (3, 12):
        _ALWAYS["taskName"] = None


_note_process()
_STARTED = _ALWAYS["created"] - _ALWAYS["relativeCreated"] / 1000
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_note_process)


class LogSink:
    """Logs each record with its fields as attributes of the log record.

    Args:
        logger: Where to log; the `zerg_visibility` logger if none is given.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(LOGGER_NAME)

    def emit(self, record: AnyRecord) -> None:
        """Log one record at level INFO; a root run has no line, its calls have."""
        logger = self._logger
        if not logger.isEnabledFor(logging.INFO) or isinstance(record, ConciergeRunRecord):
            return
        logger.handle(_log_record(logger.name, log_fields(record)))

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Do nothing: logging flushes its handlers itself."""
        return True

    def close(self) -> None:
        """Do nothing: the handlers belong to whoever configured logging."""


def _log_record(name: str, fields: dict[str, Any]) -> logging.LogRecord:
    """Make a log record without what makes `Logger.info` dear, the search for the caller.

    Even `LogRecord()` works out names of files and processes anew each time; unless somebody has
    set a factory of their own, its attributes are written down directly.
    """
    factory = logging.getLogRecordFactory()
    event = fields["event"]
    if factory is not logging.LogRecord:
        line = factory(name, logging.INFO, __file__, 0, event, (), None)
        line.__dict__.update(fields)
        return line
    line = logging.LogRecord.__new__(logging.LogRecord)
    now = time.time()
    line.__dict__ = {
        **_ALWAYS,
        "name": name,
        "msg": event,
        "created": now,
        "msecs": int(now % 1 * 1000) + 0.0,
        "relativeCreated": (now - _STARTED) * 1000,
        "thread": threading.get_ident(),
        "threadName": threading.current_thread().name,
        **fields,
    }
    return line


def log_fields(record: Record) -> dict[str, Any]:
    """Give the attributes that a record adds to a log record, without names logging itself uses."""
    if isinstance(record, LLMCallRecord):
        fields: dict[str, Any] = {
            "event": "llm_call_complete",
            "phase": record.phase,
            "duration_ms": record.duration_ms,
            "commis_id": record.commis_id,
            "model": record.model,
            "prompt_tokens": record.prompt_tokens,
            "completion_tokens": record.completion_tokens,
            "total_tokens": record.total_tokens,
        }
        if not record.success:
            fields["success"] = False
            fields["error"] = record.error
        if record.cost_usd is not None:
            fields["cost_usd"] = record.cost_usd
    elif isinstance(record, CommisRunRecord):
        fields = {
            "event": "commis_complete",
            # `name` is the logger's name on a log record.
            "commis_name": record.name,
            "status": record.status,
            "duration_ms": record.duration_ms,
            "commis_id": record.commis_id,
            "job_id": record.job_id,
            "error": record.error,
        }
    else:
        fields = {
            "event": "tool_call_complete",
            "tool": record.tool,
            "duration_ms": record.duration_ms,
            "success": record.success,
            "commis_id": record.commis_id,
            "error": record.error,
        }
    fields["trace_id"] = record.trace_id
    fields["span_id"] = record.span_id
    return fields
