"""Setting up Tier 3's log file in one call."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from zerg_visibility.errors import ConfigurationError
from zerg_visibility.records.codec import Record
from zerg_visibility.settings import DEFAULT_LOG_PATH, LOGGER_NAME
from zerg_visibility.sinks.keyvalue import KeyValueFormatter
from zerg_visibility.store.appending import AppendFile
from zerg_visibility.store.files import FileModes, make_folder
from zerg_visibility.store.system import absolute


class AppendingHandler(logging.Handler):
    """Writes each log record with one `write`, which the standard handlers do not promise.

    So lines of several processes never mix. That a log rotation has moved the file is noticed
    within 20 ms; lines in between are in the moved one.

    Args:
        path: The file; missing folders are made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._file = AppendFile(path, FileModes())
        self._formatter = KeyValueFormatter()
        self.setFormatter(self._formatter)

    def handle(self, record: logging.LogRecord) -> bool:
        """Write one line, if the filters let it pass.

        Without the lock that other handlers take: formatting needs none, and the file has its own.
        """
        passed: object = self.filter(record)
        if passed:
            # From Python 3.12 on a filter may give another record instead of True.
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line.

        Only this package logs to the logger that the handler is for, and counts what is raised
        here; `Handler.handleError` would print a traceback to stderr for every line instead.

        Raises:
            OSError: It could not be written.
        """
        self._append(self.format(record))

    def write(self, created: float, record: Record) -> None:
        """Write the line of one of our records, of which no log record was made.

        Raises:
            OSError: It could not be written.
        """
        self._append(self._formatter.line(created, record))

    def _append(self, line: str) -> None:
        self._file.append(f"{line}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def configure_logging(
    path: str | os.PathLike[str] = DEFAULT_LOG_PATH, *, level: int | str = logging.INFO
) -> logging.Handler:
    """Write Tier 3's lines to a file.

    Several processes may write to the same file: each line is one append. When a log rotation
    moves the file, a new one is started. Calling it again with the same path changes nothing but
    the level.

    Args:
        path: The file; missing folders are made.
        level: The least level to write, such as logging.INFO or "INFO".

    Returns:
        The handler, for those who want to remove it again.

    Raises:
        ConfigurationError: The file cannot be opened for appending, or there is no such level.
    """
    least = logging.getLevelNamesMapping().get(level, level) if isinstance(level, str) else level
    if not isinstance(least, int):
        raise ConfigurationError(f'level={level!r} is none of logging; give one such as "INFO"')
    target = absolute(Path(path))
    logger = logging.getLogger(LOGGER_NAME)
    for handler in logger.handlers:
        if isinstance(handler, AppendingHandler) and handler.path == target:
            break
    else:
        try:
            make_folder(target.parent, FileModes())
            target.open("ab").close()
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the log file {target} ({error.strerror}); "
                f"give configure_logging(path=...) a file in a folder you may write to"
            ) from error
        handler = AppendingHandler(target)
        logger.addHandler(handler)
    handler.setLevel(least)
    if logger.level == logging.NOTSET or logger.level > least:
        logger.setLevel(least)
    return handler
