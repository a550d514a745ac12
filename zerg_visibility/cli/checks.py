"""What `doctor` looks at in the commis: each check is a function that gives one finding."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from zerg_visibility.cli.finding import Finding
from zerg_visibility.cli.options import at_root
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import FileNotInCommisError, MetadataUnreadableError
from zerg_visibility.read.commis import records_of
from zerg_visibility.records.codec import Record
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.status import UNFINISHED
from zerg_visibility.store.layout import METADATA, METRICS
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.reading import LinesRead
from zerg_visibility.words import counted

LATEST = 1000
"""So many of the latest jobs are looked at."""

NAMED = 5
"""So many examples are named in a finding."""

OTHER_USER = "What runs as another user may be able to, but then run doctor as that one."
"""Said of what this user may not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One commis as the checks see it.

    Args:
        metadata: What is known of it; a stub if metadata.json is unreadable.
        read: Its records.
        folder: Its directory.
        problem: Why metadata.json is unreadable, if it is.
        closed: Why a file of it may not be read by this user, if so.
    """

    metadata: CommisMetadata
    read: LinesRead[Record] = field(default_factory=lambda: LinesRead(()))
    folder: Path
    problem: str | None = None
    closed: str | None = None

    @property
    def label(self) -> str:
        """Name it for a reader."""
        return f"job {self.metadata.job_id} ({self.metadata.commis_id})"

    @property
    def root(self) -> Path:
        """The root of its store."""
        return self.folder.parents[1]


def examine(store: CommisStore) -> tuple[Examined, ...]:
    """Read the latest commis once, for all checks that follow.

    Raises:
        OSError: Which there are may not be read by this user.
    """
    return tuple(_examined(store, found) for found in islice(store.recent(), LATEST))


def _examined(store: CommisStore, found: CommisMetadata) -> Examined:
    problem = None
    try:
        store.written_metadata(found.commis_id)
    except MetadataUnreadableError as error:
        problem = str(error)
    return Examined(
        metadata=found,
        read=records_of(store, found.commis_id),
        folder=store.folder(found.commis_id),
        problem=problem,
        closed=_why_closed(store, found.commis_id),
    )


def _why_closed(store: CommisStore, commis_id: str) -> str | None:
    for name in (METADATA, METRICS):
        try:
            store.open_file(commis_id, name).close()
        except FileNotInCommisError:
            continue
        except OSError as error:
            return f"{name}: {error.strerror}"
    return None


def check_access(examined: Sequence[Examined]) -> Finding:
    """See that this user may read every commis."""
    name = "access"
    shut = [item for item in examined if item.closed]
    if not shut:
        return Finding(check=name, state="ok", summary="Every commis may be read by this user.")
    return Finding(
        check=name,
        state="failed",
        summary=f"{_commis(shut)} cannot be read by this user, so what follows is not about them.",
        details=(
            *(f"{item.label}: {item.closed}" for item in shut[:NAMED]),
            *_more(shut),
            OTHER_USER,
        ),
        cure=f"ls -la {_folder(shut[0])}; id",
    )


def check_metrics_there(examined: Sequence[Examined]) -> Finding:
    """See that every commis that ended left records."""
    examined = _open(examined)
    readable = [item for item in examined if not item.problem]
    missing = [item for item in readable if _calls(item) > 0 and not item.read.items]
    if missing:
        return Finding(
            check="metrics",
            state="warning",
            summary=f"{_commis(missing)} made calls, but {METRICS} holds none of them.",
            details=_named(missing),
            cure=f"ls -la {_folder(missing[0])}",
        )
    ended = [item for item in readable if item.metadata.status not in UNFINISHED]
    silent = [item for item in ended if not item.read.items]
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
    examined = _open(examined)
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
        cure=f"zerg-visibility show {lost[0].metadata.job_id}{at_root(lost[0].root)}",
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
    examined = _open(examined)
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
    newer = [item for item in examined if item.read.newer]
    if newer and not bad:
        count = sum(item.read.newer for item in newer)
        return Finding(
            check="lines",
            state="warning",
            summary=f"{counted(count, 'record')} of {_commis(newer)} are of a newer version.",
            details=_named(newer),
            cure="pip install --upgrade zerg-visibility",
        )
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
    check_access,
    check_metadata,
    check_metrics_there,
    check_lost,
    check_durations,
    check_lines,
    check_dropped,
)
"""All that is checked of the commis that are stored."""


def _open(examined: Sequence[Examined]) -> list[Examined]:
    # What may not be read is one finding, of check_access, and says nothing about the rest.
    return [item for item in examined if not item.closed]


def _calls(item: Examined) -> int:
    return item.metadata.totals.llm_calls + item.metadata.totals.tool_calls


def _commis(items: Sequence[Examined]) -> str:
    return f"{len(items):,} commis"  # the plural of commis is commis


def _named(items: Iterable[Examined]) -> tuple[str, ...]:
    labels = [item.label for item in items]
    return (*labels[:NAMED], *_more(labels))


def _more(items: Sequence[object]) -> tuple[str, ...]:
    rest = len(items) - NAMED
    return (f"and {rest} more",) if rest > 0 else ()


def _folder(item: Examined) -> str:
    return shlex.quote(str(item.folder))
