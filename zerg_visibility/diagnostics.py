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


class Diagnostics(ForkSafe):
    """Counts failures of watching and logs each kind once, then at most once a minute.

    Safe to use from several threads. It never raises: a logger that fails is the last thing that
    may reach a graph. Where a program sets up no logging, Python prints warnings to stderr, and
    that is wanted here, with no NullHandler against it: who loses records must not have to ask.
    Tracebacks, without the errors' own texts, are for level DEBUG.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        super().__init__()
        self._logger = logger or logging.getLogger(LOGGER_NAME)
        self.failures = 0
        self.dropped_records = 0
        # When each kind was last logged (monotonic, in seconds), and how often it came since.
        self._said: dict[tuple[str, type[BaseException]], tuple[float, int]] = {}

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
            dropped: How many records this cost.
            withheld: Whether the error's text may hold what must not be logged.
        """
        kind = (doing, type(error))
        now = time.monotonic()
        with self._lock:
            self.failures += 1
            self.dropped_records += dropped
            last, unsaid = self._said.get(kind, (-REPEAT_AFTER_S, 0))
            if now - last < REPEAT_AFTER_S:
                self._said[kind] = (last, unsaid + 1)
                return
            self._said[kind] = (now, 0)
            if len(self._said) > MAX_KINDS:
                del self._said[next(iter(self._said))]
        more = f" ({unsaid} more like it since)" if unsaid else ""
        try:
            text = f"{type(error).__name__}, text withheld"
            if not withheld:
                # Long, since the cure stands last in what some libraries say.
                text = error_text(error, limit=2_000)
            told = f"{text}{_place(error)}{more}"
            self._logger.warning("zerg_visibility could not %s: %s; the graph goes on", doing, told)
            # The lines of code alone: an error's own text may hold what it rejected.
            frames = "".join(traceback.format_tb(error.__traceback__))
            self._logger.debug("where that was, innermost last:\n%s", frames)
        except Exception:  # noqa: S110 - counted above, and nowhere is left to say it
            pass


def _place(error: BaseException) -> str:
    """Give the line of code that raised it; what the system refused has its place in its text."""
    frames = [] if isinstance(error, OSError) else [*traceback.walk_tb(error.__traceback__)]
    return "".join(
        f" ({Path(frame.f_code.co_filename).name}:{line})" for frame, line in frames[-1:]
    )
