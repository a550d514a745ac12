"""What is looked at in the log file of Tier 3."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from zerg_visibility.doctor.finding import Finding, State, refused
from zerg_visibility.settings import DEFAULT_LOG_PATH, LOGGER_NAME

LOG_TAIL_BYTES = 1_000_000
"""So much of a log file's end is looked at."""

_NAME = "log file"

SETUP = "from zerg_visibility import configure_logging; configure_logging()"
"""The line of code that turns Tier 3 on."""


def check_log_file(root: Path, asked_for: Path | None) -> Finding:
    """See that the lines of Tier 3 reach the log file, with their fields.

    If the user asked for one, it has to be there; else it is looked for here and below the root.
    """
    paths = [asked_for] if asked_for else [Path(DEFAULT_LOG_PATH), root / DEFAULT_LOG_PATH]
    for path in paths:
        try:
            return _judged(path, _latest_line(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return refused(_NAME, path, error)
    why = "Nothing is logged until your program asks for it; --log names another file."
    state: State = "failed" if asked_for else "warning"
    return Finding(_NAME, state, f"There is no log file {paths[0]}.", (why,), SETUP)


def _latest_line(path: Path) -> bytes | None:
    # Reading a pipe could wait for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
        lines = [line for line in file.read().splitlines() if b"_complete" in line]
    return lines[-1] if lines else None


def _judged(path: Path, line: bytes | None) -> Finding:
    if line is None:
        summary = f"The end of {path} holds no line of the logger {LOGGER_NAME!r}."
        why = "Its level may be above INFO, or its lines go elsewhere."
        cure = f'import logging; logging.getLogger("{LOGGER_NAME}").setLevel(logging.INFO)'
        return Finding(_NAME, "warning", summary, (why,), cure)
    if b"event=" not in line:
        summary = f"The lines in {path} lack their fields: the formatter leaves `extra` out."
        cure = "from zerg_visibility import KeyValueFormatter; "
        cure += "handler.setFormatter(KeyValueFormatter())"
        return Finding(_NAME, "failed", summary, (line.decode("utf-8", "replace"),), cure)
    return Finding(_NAME, "ok", f"The lines in {path} carry their fields.")
