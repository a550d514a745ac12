"""What is tried out: a tiny commis, to see whether watching works in this installation."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from logging.handlers import BufferingHandler
from pathlib import Path

from zerg_visibility.doctor.finding import SETUP, Finding
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.words import counted


def check_trial() -> Iterator[Finding]:
    """See that a commis leaves its metrics and log lines, and where blocking calls are refused."""
    try:
        with _logged() as lines:
            records = _try_out()
    except Exception as error:  # whatever it is, it is the finding
        yield Finding(
            "recording",
            "failed",
            "A commis cannot be run and watched in this installation.",
            (f"{type(error).__name__}: {error}",),
            "pip install --force-reinstall --upgrade zerg-visibility langgraph langchain-core",
        )
        return
    yield Finding("recording", "ok", f"A trial commis was recorded: {records}.")
    if lines:
        logged = f"The trial commis logged {counted(len(lines), 'line')}."
        yield Finding("log lines", "ok", logged)
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
    installed = "Installed, and `langgraph dev` switches it on; "
    with _logged() as lines:
        try:
            records = _try_out(blockbuster_ctx())
        except Exception as error:  # as above
            failure = f"{type(error).__name__}: {error}"
            said = (text for line in lines if "could not" in (text := line.getMessage()))
            summary = f"{installed}it refuses calls of zerg_visibility in an event loop."
            cure = "langgraph dev --allow-blocking"
            return Finding(name, "failed", summary, (failure, *said), cure)
    return Finding(name, "ok", f"{installed}a trial commis under it was recorded: {records}.")


@contextmanager
def _logged() -> Iterator[list[logging.LogRecord]]:
    """Take what is logged meanwhile, and leave logging as it was."""
    logger, handler = logging.getLogger(LOGGER_NAME), BufferingHandler(capacity=1000)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield handler.buffer
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


def _try_out(under: AbstractContextManager[object] | None = None) -> str:
    """Run a tiny commis in a folder of its own, under some context, and count its records."""
    # Imported here, since it brings in LangGraph and may be what is broken.
    from zerg_visibility.doctor.probe import run_probe

    with tempfile.TemporaryDirectory(prefix="zerg-doctor-") as folder, under or nullcontext():
        totals = run_probe(Path(folder)).totals
    return counted(totals.llm_calls + totals.tool_calls, "record")
