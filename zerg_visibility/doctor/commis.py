"""What is asked of every commis: a table of checks."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.finding import OTHER_USER, Finding, State, named
from zerg_visibility.errors import FileNotInCommisError
from zerg_visibility.read.commis import Commis
from zerg_visibility.settings import LOGGER_NAME, at_root
from zerg_visibility.status import UNFINISHED
from zerg_visibility.store.artifacts import open_artifact
from zerg_visibility.store.layout import METADATA, METRICS
from zerg_visibility.words import counted

LATEST = 1000
"""So many of the latest jobs are looked at."""


class Examined(Commis):
    """One commis as the checks see it."""

    @cached_property
    def closed(self) -> str | None:
        """Why this user may not read a file of it, if so."""
        for name in (METADATA, METRICS):
            try:
                open_artifact(self.folder, name).close()
            except FileNotInCommisError:
                continue
            except OSError as error:
                return f"{name}: {error.strerror}"
        return None

    @property
    def left_nothing(self) -> bool:
        """Whether no record of it is there, though its metadata is."""
        return not (self.problem or self.records.items)

    @property
    def bad_lines(self) -> str | None:
        """What cannot be read of its records; at work, a last line may just be being written."""
        torn = self.records.torn and self.status != "running"
        return self.records.remark if self.records.unreadable or torn else None


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be seen in commis (a text is told of each), and what is said of those together."""

    check: str
    state: State
    seen: Callable[[Examined], object]
    summary: str
    explained: str | None = None
    cure: str | None = None


# What is said where no rule of a check is seen. Else the first that is seen is its finding. What
# may not be read is one finding, of the first check, and says nothing about the rest.
_ALL_WELL = {
    "access": "Every commis may be read by this user.",
    "metadata": f"Every {METADATA} can be read.",
    "metrics": "Every commis that ended left records.",
    "lost commis": "No commis was lost.",
    "durations": "No commis took 0 ms.",
    "lines": f"Every line of {METRICS} can be read.",
    "dropped": "No record was dropped.",
}
_RULES = (
    Rule("access", "failed", lambda one: one.closed,
         "cannot be read by this user, so what follows is not about them.",
         OTHER_USER, "ls -la {folder}; id"),
    Rule("metadata", "failed", lambda one: (one.folder / METADATA).exists() and one.problem,
         f"left a {METADATA} that cannot be read.",
         None, f"mv {{folder}}/{METADATA} {{folder}}/{METADATA}.broken"),
    # `prune` removes a commis and leaves its number; that is nobody's fault.
    Rule("metadata", "warning", lambda one: bool(one.problem) and one.folder.is_dir(),
         f"left no {METADATA}: killed at birth, or just being born.",
         None, "ls -la {folder}"),
    Rule("metrics", "warning",
         lambda one: one.left_nothing
         and one.written.totals.llm_calls + one.written.totals.tool_calls > 0,
         f"made calls, but {METRICS} holds none of them.",
         None, "ls -la {folder}"),
    Rule("metrics", "warning",
         lambda one: one.left_nothing and one.status not in UNFINISHED,
         "ended without a recorded call.",
         "That is right if it calls no model and no tool. If it does, LangChain was not told of "
         "them: a model called in a thread or a library of your own needs the config handed on.",
         "def node(state, config: RunnableConfig): model.invoke(messages, config)"),
    Rule("lost commis", "warning", lambda one: one.status == "lost" and not one.problem,
         "never ended: the process was killed or crashed.",
         "`show` tells what was in flight. Under a checkpointer, graph.invoke(None, config) with "
         "the same thread_id goes on with it.",
         "zerg-visibility show {job}{at}"),
    Rule("durations", "warning",
         lambda one: one.written.duration_ms == 0
         and any(record.duration_ms > 0 for record in one.records.items),
         "took 0 ms although calls in it took longer.",
         None, f"cat {{folder}}/{METADATA}"),
    Rule("durations", "ok", lambda one: one.written.duration_ms == 0,
         "took 0 ms, which is how less than 1 ms is written.",
         "Expected of very fast work, such as a mock model in a test; start_ts and end_ts in "
         f"{METRICS} have microseconds."),
    Rule("lines", "warning", lambda one: one.bad_lines,
         f"left lines in {METRICS} that cannot be read.",
         "A kill in mid-write leaves one; the lines around it are whole and are read.",
         f"jq -cR 'fromjson? // \"unreadable: \" + .' {{folder}}/{METRICS}"),
    Rule("lines", "warning", lambda one: one.records.newer and one.records.remark,
         "left records of a newer version.",
         None, "pip install --upgrade zerg-visibility"),
    Rule("dropped", "warning",
         lambda one: (lost := one.written.dropped_records) > 0 and counted(lost, "record"),
         "left out records that could not be written.",
         f"The cause is logged by the logger {LOGGER_NAME!r} of your program.",
         "df -h {folder}; grep -rn 'zerg_visibility could not' logs/"),
)  # fmt: skip


def examine(store: CommisStore) -> tuple[Examined, ...]:
    """Read the latest commis once, for all checks; an OSError if this user may not list them."""
    return tuple(Examined(store, found) for found in islice(store.recent(), LATEST))


def check_commis(examined: Sequence[Examined]) -> Iterator[Finding]:
    """Ask every question of every commis, and give one finding for each."""
    readable = [one for one in examined if not one.closed]
    for check, all_well in _ALL_WELL.items():
        asked = examined if check == "access" else readable
        found = (_finding(rule, asked) for rule in _RULES if rule.check == check)
        yield next(filter(None, found), Finding(check, "ok", all_well))


def _finding(rule: Rule, asked: Sequence[Examined]) -> Finding | None:
    seen = [(one, said) for one in asked if (said := rule.seen(one))]
    if not seen:
        return None
    details = [
        f"job {one.job_id} ({one.commis_id})" + (f": {said}" if isinstance(said, str) else "")
        for one, said in seen
    ]
    first, _ = seen[0]
    folder, at = shlex.quote(str(first.folder)), at_root(first.folder.parents[1])
    cure = rule.cure and rule.cure.format(folder=folder, job=first.job_id, at=at)
    summary = f"{len(seen):,} commis {rule.summary}"  # the plural of commis is commis
    explained = (*named(details), *filter(None, [rule.explained]))
    return Finding(rule.check, rule.state, summary, explained, cure)
