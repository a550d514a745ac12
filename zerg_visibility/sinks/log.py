"""Tier 3: each record as one INFO line of the `zerg_visibility` logger."""

from __future__ import annotations

import logging
import time

from zerg_visibility.records.codec import AnyRecord
from zerg_visibility.records.runs import ConciergeRunRecord
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.sinks.keyvalue import KeyValueFormatter, log_fields
from zerg_visibility.sinks.logfile import AppendingHandler


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
        if ours is not None:
            ours.write(time.time(), record)
            return
        # Without what makes `Logger.info` dear, the search for the caller.
        make = logging.getLogRecordFactory()
        line = make(logger.name, logging.INFO, __file__, 0, record.logged_as, (), None, "emit")
        line.__dict__.update(log_fields(record))
        logger.handle(line)

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Do nothing: logging flushes its handlers itself."""
        return True

    def close(self) -> None:
        """Do nothing: the handlers belong to whoever configured logging."""


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
