"""What is tried out: a tiny commis, to see whether watching works in this installation."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from zerg_visibility.doctor.finding import Finding
from zerg_visibility.doctor.logfile import SETUP
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.words import counted


class _Lines(logging.Handler):
    """Keeps what it would write."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@dataclass(frozen=True, slots=True)
class Trial:
    """How many records a tiny commis left, what was logged meanwhile, and why it failed if so."""

    records: int
    lines: tuple[str, ...]
    error: str | None


def try_out(under: AbstractContextManager[object] | None = None) -> Trial:
    """Run a tiny commis in a folder of its own, under some context, and take its log lines."""
    logger, handler = logging.getLogger(LOGGER_NAME), _Lines()
    level, propagates = logger.level, logger.propagate
    records, failure = 0, None
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        # Imported here, since it brings in LangGraph and may be what is broken.
        from zerg_visibility.doctor.probe import run_probe

        with tempfile.TemporaryDirectory(prefix="zerg-doctor-") as folder, under or nullcontext():
            totals = run_probe(Path(folder)).totals
        records = totals.llm_calls + totals.tool_calls
    except Exception as error:  # whatever it is, it is the finding
        failure = f"{type(error).__name__}: {error}"
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
    return Trial(records, tuple(handler.lines), failure)


def check_trial() -> Iterator[Finding]:
    """See that a commis leaves its metrics and log lines, and where blocking calls are refused."""
    trial = try_out()
    if trial.error is not None:
        yield Finding(
            "recording",
            "failed",
            "A commis cannot be run and watched in this installation.",
            (trial.error,),
            "pip install --force-reinstall --upgrade zerg-visibility langgraph langchain-core",
        )
        return
    records = counted(trial.records, "record")
    yield Finding("recording", "ok", f"A trial commis was recorded: {records}.")
    if trial.lines:
        lines = counted(len(trial.lines), "line")
        yield Finding("log lines", "ok", f"The trial commis logged {lines}.")
    else:
        silent = f"The logger {LOGGER_NAME!r} wrote nothing at level INFO; is logging disabled?"
        yield Finding("log lines", "failed", silent, (), SETUP)
    yield check_detector()


def check_detector() -> Finding:
    """See that a commis is recorded where calls that block an event loop are refused."""
    name = "blockbuster"
    try:
        from blockbuster import blockbuster_ctx
    except ImportError:
        return Finding(name, "ok", "Not installed here, so nothing refuses blocking calls.")
    refused = try_out(blockbuster_ctx())
    installed = "Installed, and `langgraph dev` switches it on; "
    if refused.error is None:
        records = counted(refused.records, "record")
        return Finding(name, "ok", f"{installed}a trial commis under it was recorded: {records}.")
    lines = (line for line in refused.lines if "could not" in line)
    return Finding(
        name,
        "failed",
        f"{installed}it refuses calls of zerg_visibility in an event loop.",
        (refused.error, *lines),
        "langgraph dev --allow-blocking",
    )
