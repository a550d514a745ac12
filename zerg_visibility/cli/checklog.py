"""What `doctor` looks at in the log file of Tier 3."""

from __future__ import annotations

import errno
import shlex
import stat
from pathlib import Path

from zerg_visibility.cli.finding import Finding
from zerg_visibility.settings import LOGGER_NAME

LOG_TAIL_BYTES = 1_000_000
"""So much of a log file's end is looked at."""

SETUP = "from zerg_visibility import configure_logging; configure_logging()"
"""The line of code that turns Tier 3 on."""


def check_log_file(path: Path, *, asked_for: bool) -> Finding:
    """See that the lines of Tier 3 reach the log file, with their fields.

    Args:
        path: The file.
        asked_for: Whether the user named it, so that it has to be there.
    """
    name = "log file"
    try:
        # Reading a pipe could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
            lines = [line for line in file.read().splitlines() if b"_complete" in line]
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            return Finding(
                check=name,
                state="failed",
                summary=f"{path} cannot be read: {error.strerror}.",
                cure=f"ls -ld {shlex.quote(str(path))}; id",
            )
        return Finding(
            check=name,
            state="failed" if asked_for else "warning",
            summary=f"There is no log file {path}.",
            details=(
                "Nothing is logged until your program asks for it; --log names another file.",
            ),
            cure=SETUP,
        )
    if not lines:
        return Finding(
            check=name,
            state="warning",
            summary=f"The end of {path} holds no line of the logger {LOGGER_NAME!r}.",
            details=("Its level may be above INFO, or its lines go elsewhere.",),
            cure=f'import logging; logging.getLogger("{LOGGER_NAME}").setLevel(logging.INFO)',
        )
    if b"event=" not in lines[-1]:
        return Finding(
            check=name,
            state="failed",
            summary=f"The lines in {path} lack their fields: the formatter leaves `extra` out.",
            details=(lines[-1].decode("utf-8", "replace"),),
            cure="from zerg_visibility import KeyValueFormatter; "
            "handler.setFormatter(KeyValueFormatter())",
        )
    return Finding(check=name, state="ok", summary=f"The lines in {path} carry their fields.")
