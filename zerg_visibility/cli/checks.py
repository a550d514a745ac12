"""What `doctor` looks at in the store: each check is a function that gives one finding."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from zerg_visibility.cli.finding import Finding
from zerg_visibility.errors import MetadataUnreadableError
from zerg_visibility.records import Record
from zerg_visibility.settings import ENV_ROOT, LOGGER_NAME
from zerg_visibility.store.commis import CommisStore
from zerg_visibility.store.layout import METADATA, METRICS
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.reading import LinesRead
from zerg_visibility.words import counted

LATEST = 1000
"""So many of the latest jobs are looked at."""

NAMED = 5
"""So many examples are named in a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One commis as the checks see it.

    Args:
        metadata: What is known of it; a stub if metadata.json is unreadable.
        read: Its records.
        folder: Its directory.
        problem: Why metadata.json is unreadable, if it is.
    """

    metadata: CommisMetadata
    read: LinesRead[Record] = field(default_factory=lambda: LinesRead(()))
    folder: Path
    problem: str | None = None

    @property
    def label(self) -> str:
        """Name it for a reader."""
        return f"job {self.metadata.job_id} ({self.metadata.commis_id})"


def examine(store: CommisStore) -> tuple[Examined, ...]:
    """Read the latest commis once, for all checks that follow."""
    return tuple(_examined(store, found) for found in islice(store.recent(), LATEST))


def _examined(store: CommisStore, found: CommisMetadata) -> Examined:
    problem = None
    try:
        store.written_metadata(found.commis_id)
    except MetadataUnreadableError as error:
        problem = str(error)
    return Examined(
        metadata=found,
        read=store.records(found.commis_id),
        folder=store.folder(found.commis_id),
        problem=problem,
    )


def check_root(store: CommisStore) -> Finding:
    """See that the store is there and can be written to."""
    name, root = "store", store.root
    if not root.is_dir():
        return Finding(
            check=name,
            state="failed",
            summary=f"{root} is not there." if not root.exists() else f"{root} is not a folder.",
            details=(
                f"Without CommisStore(...) and ${ENV_ROOT}, a program writes to ./zerg-data in the "
                f"folder that it was started in.",
            ),
            cure=f"zerg-visibility demo --root {shlex.quote(str(root))}",
        )
    try:
        for folder in (root, root / "commis", root / "jobs"):
            if folder is root or folder.is_dir():
                _try_to_write(folder)
    except OSError as error:
        return Finding(
            check=name,
            state="failed",
            summary=f"{folder} cannot be written to: {error.strerror}.",
            details=("What runs as another user may be able to, but then run doctor as that one.",),
            cure=f"ls -ld {shlex.quote(str(folder))}; df -h {shlex.quote(str(folder))}; id",
        )
    return Finding(
        check=name, state="ok", summary=f"{root} can be written to; {_jobs(store.newest_job())}."
    )


def _try_to_write(folder: Path) -> None:
    # Only writing shows a full disk, a read-only mount and a quota; permission bits do not.
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\n" * 4096)
        file.flush()


def _jobs(count: int) -> str:
    return "no job yet" if count == 0 else f"the latest job is {count}"


def check_metrics_there(examined: Sequence[Examined]) -> Finding:
    """See that every commis that ended left records."""
    ended = [item for item in examined if item.metadata.status != "running" and not item.problem]
    silent = [item for item in ended if not item.read.items]
    lost = [item for item in silent if _calls(item) > 0]
    if lost:
        return Finding(
            check="metrics",
            state="warning",
            summary=f"{_commis(lost)} made calls, but {METRICS} holds none of them.",
            details=_named(lost),
            cure=f"ls -la {_folder(lost[0])}",
        )
    if silent:
        return Finding(
            check="metrics",
            state="warning",
            summary=f"{_commis(silent)} ended without a recorded call.",
            details=(
                *_named(silent),
                "That is right if it calls no model and no tool. If it does, LangChain was not told"
                " of them: a model called in a thread or a library of your own needs the config"
                " handed on.",
            ),
            cure="def node(state, config: RunnableConfig): model.invoke(messages, config)",
        )
    return Finding(
        check="metrics", state="ok", summary=f"All of {_commis(ended)} that ended left records."
    )


def check_lost(examined: Sequence[Examined]) -> Finding:
    """See that no commis's process ended without saying so."""
    lost = [item for item in examined if item.metadata.status == "lost" and not item.problem]
    if not lost:
        return Finding(check="lost commis", state="ok", summary="No commis was lost.")
    return Finding(
        check="lost commis",
        state="warning",
        summary=f"{_commis(lost)} never ended: the process was killed or crashed.",
        details=(
            *_named(lost),
            "`show` tells what was in flight. Under a checkpointer, graph.invoke(None, config) with"
            " the same thread_id goes on with it.",
        ),
        cure=f"zerg-visibility show {lost[0].metadata.job_id}",
    )


def check_durations(examined: Sequence[Examined]) -> Finding:
    """Explain durations of 0 ms, and find those that cannot be true."""
    zero = [item for item in examined if item.metadata.duration_ms == 0]
    wrong = [item for item in zero if any(record.duration_ms > 0 for record in item.read.items)]
    if wrong:
        return Finding(
            check="durations",
            state="warning",
            summary=f"{_commis(wrong)} took 0 ms although calls in it took longer.",
            details=_named(wrong),
            cure=f"cat {_folder(wrong[0])}/{METADATA}",
        )
    if zero:
        return Finding(
            check="durations",
            state="ok",
            summary=f"{_commis(zero)} took 0 ms, which is how less than 1 ms is written.",
            details=(
                "Expected of very fast work, such as a mock model in a test.",
                f"start_ts and end_ts in {METRICS} have microseconds.",
            ),
        )
    return Finding(check="durations", state="ok", summary="No commis took 0 ms.")


def check_metadata(examined: Sequence[Examined]) -> Finding:
    """See that every metadata.json can be read."""
    missing = [item for item in examined if item.problem and not (item.folder / METADATA).exists()]
    # `prune` removes a commis and leaves its number; that is nobody's fault.
    missing = [item for item in missing if item.folder.is_dir()]
    broken = [item for item in examined if item.problem and (item.folder / METADATA).exists()]
    if broken:
        return Finding(
            check="metadata",
            state="failed",
            summary=f"{_commis(broken)} left a {METADATA} that cannot be read.",
            details=tuple(str(item.problem) for item in broken[:NAMED]),
            cure=f"mv {_folder(broken[0])}/{METADATA} {_folder(broken[0])}/{METADATA}.broken",
        )
    if missing:
        return Finding(
            check="metadata",
            state="warning",
            summary=f"{_commis(missing)} left no {METADATA}: killed at birth, or just being born.",
            details=_named(missing),
            cure=f"ls -la {_folder(missing[0])}",
        )
    return Finding(check="metadata", state="ok", summary=f"Every {METADATA} can be read.")


def check_lines(examined: Sequence[Examined]) -> Finding:
    """See that every line of every metrics.jsonl is whole."""
    # At work, an unfinished last line is just being written.
    torn = [item for item in examined if item.read.torn and item.metadata.status != "running"]
    bad = [item for item in examined if item.read.unreadable or item in torn]
    if not bad:
        return Finding(check="lines", state="ok", summary=f"Every line of {METRICS} can be read.")
    return Finding(
        check="lines",
        state="warning",
        summary=f"{_commis(bad)} left lines in {METRICS} that cannot be read.",
        details=(
            *(f"{item.label}: {item.read.remark}" for item in bad[:NAMED]),
            "A kill in mid-write leaves one; the lines around it are whole and are read.",
        ),
        cure=f"jq -cR 'fromjson? // \"unreadable: \" + .' {_folder(bad[0])}/{METRICS}",
    )


def check_dropped(examined: Sequence[Examined]) -> Finding:
    """See that every record could be written."""
    short = [item for item in examined if item.metadata.dropped_records > 0]
    if not short:
        return Finding(check="dropped", state="ok", summary="No record was dropped.")
    count = sum(item.metadata.dropped_records for item in short)
    return Finding(
        check="dropped",
        state="warning",
        summary=f"{counted(count, 'record')} of {_commis(short)} could not be written.",
        details=(
            *_named(short),
            f"The cause is logged by the logger {LOGGER_NAME!r} of your program.",
        ),
        cure=f"df -h {_folder(short[0])}; grep -rn 'zerg_visibility could not' logs/",
    )


CHECKS_OF_COMMIS: tuple[Callable[[Sequence[Examined]], Finding], ...] = (
    check_metadata,
    check_metrics_there,
    check_lost,
    check_durations,
    check_lines,
    check_dropped,
)
"""All that is checked of the commis that are stored."""


def _calls(item: Examined) -> int:
    return item.metadata.totals.llm_calls + item.metadata.totals.tool_calls


def _commis(items: Sequence[Examined]) -> str:
    return f"{len(items):,} commis"  # the plural of commis is commis


def _named(items: Iterable[Examined]) -> tuple[str, ...]:
    labels = [item.label for item in items]
    rest = len(labels) - NAMED
    return (*labels[:NAMED], *([f"and {rest} more"] if rest > 0 else []))


def _folder(item: Examined) -> str:
    return shlex.quote(str(item.folder))
