"""Tier 3: each record as one INFO line of the `zerg_visibility` logger."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from zerg_visibility.records import CommisRunRecord, LLMCallRecord, Record
from zerg_visibility.settings import LOGGER_NAME

# Library etiquette: without this, Python prints our warnings to stderr if logging is not set up.
logging.getLogger(LOGGER_NAME).addHandler(logging.NullHandler())

_FILE = str(Path(__file__))


class LogSink:
    """Logs each record with its fields as attributes of the log record.

    Args:
        logger: Where to log; the `zerg_visibility` logger if none is given.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(LOGGER_NAME)

    def emit(self, record: Record) -> None:
        """Log one record at level INFO."""
        logger = self._logger
        if not logger.isEnabledFor(logging.INFO):
            return
        fields = log_fields(record)
        # Logger.info would look up the caller's frame and check our names: 10 µs of the hot path.
        line = logger.makeRecord(
            logger.name, logging.INFO, _FILE, 0, fields["event"], (), None, "emit"
        )
        line.__dict__.update(fields)
        logger.handle(line)

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Flush the logger's own handlers."""
        for handler in self._logger.handlers:
            handler.flush()
        return True

    def close(self) -> None:
        """Do nothing: the handlers belong to whoever configured logging."""


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
