"""What `doctor` tries out: a tiny commis, to see whether watching works in this installation."""

from __future__ import annotations

import logging
import tempfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from zerg_visibility.cli.checklog import SETUP
from zerg_visibility.cli.finding import Finding
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import counted, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOutcome:
    """What came of running a tiny commis.

    Args:
        metadata: The commis; None if it failed.
        records: How many records it left.
        lines: What the logger wrote while it ran.
        error: Why it failed, if it did.
    """

    metadata: CommisMetadata | None
    records: int
    lines: tuple[str, ...]
    error: str | None = None


class _Lines(logging.Handler):
    """Keeps what it would write."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def probe(under: AbstractContextManager[object] | None = None) -> ProbeOutcome:
    """Run a tiny commis with a scripted model in a folder of its own, and take its log lines.

    Args:
        under: What is entered while it runs.
    """
    logger = logging.getLogger(LOGGER_NAME)
    handler = _Lines()
    level, propagates = logger.level, logger.propagate
    metadata, count = None, 0
    try:
        # Imported here, since both bring in LangGraph or may be what is broken.
        from zerg_visibility.doctor.probe import run_probe
        from zerg_visibility.sinks.keyvalue import KeyValueFormatter

        handler.setFormatter(KeyValueFormatter())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        with tempfile.TemporaryDirectory(prefix="zerg-doctor-") as folder:
            with under or nullcontext():
                metadata = run_probe(Path(folder))
            count = len(CommisStore(folder).records(metadata.commis_id).items)
    except Exception as error:  # whatever it is, it is the finding
        return ProbeOutcome(
            metadata=metadata,
            records=count,
            lines=tuple(handler.lines),
            error=f"{type(error).__name__}: {error}",
        )
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
    return ProbeOutcome(metadata=metadata, records=count, lines=tuple(handler.lines))


def check_recording(outcome: ProbeOutcome) -> Finding:
    """See that a commis leaves its metrics."""
    name = "recording"
    if outcome.error is not None or outcome.metadata is None:
        return Finding(
            check=name,
            state="failed",
            summary="A commis cannot be run and watched in this installation.",
            details=(outcome.error or "",),
            cure="pip install --force-reinstall zerg-visibility",
        )
    if outcome.metadata.status != "success" or outcome.records == 0:
        return Finding(
            check=name,
            state="failed",
            summary=f"A trial commis ended as {outcome.metadata.status} with "
            f"{counted(outcome.records, 'record')}.",
            details=(outcome.metadata.error or "Nothing of it was recorded.",),
            cure="pip install --upgrade langchain-core langgraph zerg-visibility",
        )
    took = duration(outcome.metadata.duration_ms or 0)
    return Finding(
        check=name,
        state="ok",
        summary=f"A trial commis was recorded: {counted(outcome.records, 'record')} in {took}.",
    )


def check_log_lines(outcome: ProbeOutcome) -> Finding:
    """See that the logger and KeyValueFormatter give lines with fields."""
    name = "log lines"
    if outcome.error is not None:
        return Finding(
            check=name, state="warning", summary="Not tried, since the trial commis failed."
        )
    if not outcome.lines:
        return Finding(
            check=name,
            state="failed",
            summary=f"The logger {LOGGER_NAME!r} wrote nothing at level INFO.",
            cure=SETUP,
        )
    bare = [line for line in outcome.lines if "event=" not in line]
    if bare:
        return Finding(
            check=name,
            state="failed",
            summary="KeyValueFormatter left out the fields of a line.",
            details=(bare[0],),
            cure="pip install --force-reinstall zerg-visibility",
        )
    return Finding(
        check=name,
        state="ok",
        summary=f"The trial commis logged {counted(len(outcome.lines), 'line')} with all fields.",
    )


def check_detector(outcome: ProbeOutcome) -> Finding:
    """See that a commis is recorded where calls that block an event loop are refused.

    Args:
        outcome: What came of the trial commis where nothing is refused.
    """
    name = "blockbuster"
    try:
        from blockbuster import blockbuster_ctx
    except ImportError:
        return Finding(
            check=name,
            state="ok",
            summary="Not installed here, so nothing refuses blocking calls.",
        )
    if outcome.error is not None:
        return Finding(
            check=name, state="warning", summary="Not tried, since the trial commis failed."
        )
    refused = probe(blockbuster_ctx())
    if refused.error is not None:
        return Finding(
            check=name,
            state="failed",
            summary="Installed, and refuses calls of zerg_visibility in an event loop; "
            "`langgraph dev` switches it on.",
            details=(refused.error, *(line for line in refused.lines if "could not" in line)),
            cure="langgraph dev --allow-blocking",
        )
    return Finding(
        check=name,
        state="ok",
        summary="Installed, and `langgraph dev` switches it on; a trial commis under it was "
        f"recorded: {counted(refused.records, 'record')}.",
    )
