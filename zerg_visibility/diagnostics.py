"""What happens when watching itself fails: it is counted, said once, and goes no further."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerg_visibility.errortext import error_text
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.settings import LOGGER_NAME

REPEAT_AFTER_S = 60.0
"""A fault of the same kind is logged again only after this many seconds."""

MAX_KINDS = 256
"""Kinds of fault remembered for the rate limit; beyond it, the oldest is forgotten."""


TOLD_MAX = 2_000
"""Characters of an error in a warning; the cure stands last in what some libraries say."""


class Diagnostics(ForkSafe):
    """Counts failures of watching and logs each kind once, then at most once a minute.

    Safe to use from several threads. It never raises: a logger that fails is the last thing that
    may reach a graph. Where a program sets up no logging, Python prints warnings to stderr, and
    that is wanted here, with no NullHandler against it: who loses records must not have to ask.
    Tracebacks, without the errors' own texts, are for level DEBUG.

    Args:
        logger: Where warnings go; the `zerg_visibility` logger if none is given.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        super().__init__()
        self._logger = logger or logging.getLogger(LOGGER_NAME)
        self._failures = 0
        self._dropped = 0
        self._said: dict[tuple[str, type[BaseException]], tuple[float, int]] = {}

    @property
    def failures(self) -> int:
        """How often watching failed."""
        return self._failures

    @property
    def dropped_records(self) -> int:
        """How many records were lost to those failures."""
        return self._dropped

    @contextmanager
    def guard(self, doing: str) -> Iterator[None]:
        """Note what fails in a `with` block, and go on behind it."""
        try:
            yield
        except Exception as error:
            self.note(doing, error)

    def note(
        self, doing: str, error: BaseException, *, dropped: int = 0, withheld: bool = False
    ) -> None:
        """Count one failure and log it unless the same kind was logged within the last minute.

        Args:
            doing: What was being done, to follow "could not" in the log line.
            error: What was raised.
            dropped: How many records this failure cost.
            withheld: Whether the error's text may hold what must not be logged.
        """
        kind = (doing, type(error))
        now = time.monotonic()
        with self._lock:
            self._failures += 1
            self._dropped += dropped
            last, unsaid = self._said.get(kind, (None, 0))
            speak = last is None or now - last >= REPEAT_AFTER_S
            if last is None and len(self._said) >= MAX_KINDS:
                self._said.pop(next(iter(self._said)))
            self._said[kind] = (now if last is None or speak else last, 0 if speak else unsaid + 1)
        if not speak:
            return
        more = f" ({unsaid} more like it since)" if unsaid else ""
        try:
            told = (
                f"{type(error).__name__}, text withheld"
                if withheld
                else error_text(error, limit=TOLD_MAX)
            )
            self._logger.warning(
                "zerg_visibility could not %s: %s%s%s; the graph goes on",
                doing,
                told,
                _place(error),
                more,
            )
            # The lines of code alone: an error's own text may hold what it rejected.
            frames = "".join(traceback.format_tb(error.__traceback__))
            self._logger.debug("where that was, innermost last:\n%s", frames)
        except Exception:  # noqa: S110 - counted above, and nowhere is left to say it
            pass


def _place(error: BaseException) -> str:
    """Give the line of code that raised it; what the system refused has its place in its text."""
    innermost = error.__traceback__
    if isinstance(error, OSError) or innermost is None:
        return ""
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    return f" ({Path(innermost.tb_frame.f_code.co_filename).name}:{innermost.tb_lineno})"
