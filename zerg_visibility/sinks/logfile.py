"""Setting up Tier 3's log file in one call."""

from __future__ import annotations

import logging
import os
from logging.handlers import WatchedFileHandler
from pathlib import Path

from zerg_visibility.errors import ConfigurationError
from zerg_visibility.settings import DEFAULT_LOG_PATH, LOGGER_NAME
from zerg_visibility.sinks.keyvalue import KeyValueFormatter


def configure_logging(
    path: str | os.PathLike[str] = DEFAULT_LOG_PATH, *, level: int = logging.INFO
) -> logging.Handler:
    """Write Tier 3's lines to a file.

    Several processes may write to the same file: each line is one append. When a log rotation
    moves or deletes the file, the next line starts a new one. Calling it again with the same path
    changes nothing but the level.

    Args:
        path: The file; missing folders are made.
        level: The least level to write.

    Returns:
        The handler, for those who want to remove it again.

    Raises:
        ConfigurationError: The file cannot be opened for appending.
    """
    target = Path(path).absolute()
    logger = logging.getLogger(LOGGER_NAME)
    for handler in logger.handlers:
        if isinstance(handler, WatchedFileHandler) and handler.baseFilename == str(target):
            break
    else:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handler = WatchedFileHandler(target, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the log file {target} ({error.strerror}); "
                f"give configure_logging(path=...) a file in a folder you may write to"
            ) from error
        handler.setFormatter(KeyValueFormatter())
        logger.addHandler(handler)
    handler.setLevel(level)
    if logger.level == logging.NOTSET or logger.level > level:
        logger.setLevel(level)
    return handler
