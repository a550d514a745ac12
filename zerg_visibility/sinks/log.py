"""Tier 3: each record as one INFO line of the `zerg_visibility` logger."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

from zerg_visibility.records.codec import AnyRecord, Record
from zerg_visibility.records.runs import ConciergeRunRecord
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.sinks.keyvalue import KeyValueFormatter, logged
from zerg_visibility.sinks.logfile import AppendingHandler

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
        ours = _only_handler(logger)
        if ours is None:
            logger.handle(_log_record(logger.name, log_fields(record)))
        else:
            ours.write(time.time(), record)

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Flush the logger's own handlers."""
        for handler in self._logger.handlers:
            handler.flush()
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


def _only_handler(logger: logging.Logger) -> AppendingHandler | None:
    """Give our own handler if nobody else could see or change what is logged.

    It needs no log record then, which costs more than the line. This is asked anew for every line:
    anybody may add a handler or a filter at any time.
    """
    if len(logger.handlers) != 1:
        return None
    handler = logger.handlers[0]
    if (
        type(handler) is not AppendingHandler
        or type(handler.formatter) is not KeyValueFormatter
        or type(logger) is not logging.Logger
        or logger.filters
        or handler.filters
        or handler.level > logging.INFO
        or logging.getLogRecordFactory() is not logging.LogRecord
    ):
        return None
    while logger.propagate and logger.parent is not None:
        logger = logger.parent
        if logger.handlers:
            return None
    return handler


def log_fields(record: Record) -> dict[str, Any]:
    """Give the attributes that a record adds to a log record, without names logging itself uses."""
    return {"event": record.logged_as, **dict(zip(*logged(record), strict=True))}
