"""What the commis below a commis used: those that it started, and those that they did."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import CommisNotFoundError
from zerg_visibility.read.commis import records_of, with_totals
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.words import counted, one_line

MAX_READ = 200
"""So many commis below one are read; sums over more begin with "at least"."""

NAMED = 3
"""So many children are named."""

NAME_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Descendants:
    """The commis below one, each once.

    Args:
        commis: What is known of each, totals up to date; children first.
        children: How many of them it started itself.
        complete: Whether all could be read.
    """

    commis: tuple[CommisMetadata, ...]
    children: int
    complete: bool

    def names(self) -> str:
        """Name the children with their jobs: `#4 research, #5 writer (failed)`."""
        children = self.commis[: self.children]
        more = len(self.commis) - len(children[:NAMED])
        named = ", ".join(_name(child) for child in children[:NAMED])
        return named + (f" and {more:,} more" if more else "")

    def sums_with(self, own: CommisTotals) -> str:
        """Say what they and the one above used: `10,790 tokens, 12 LLM calls, 4 tool calls`.

        Args:
            own: The totals of the one above.
        """
        totals = [own, *(one.totals for one in self.commis)]
        tokens = sum(_tokens(one) for one in totals)
        parts = [
            *([counted(tokens, "token")] if tokens else []),
            counted(sum(one.llm_calls for one in totals), "LLM call"),
            counted(sum(one.tool_calls for one in totals), "tool call"),
        ]
        return ("" if self.complete else "at least ") + ", ".join(parts)

    def sentence(self, own: CommisTotals) -> str | None:
        """Write `With its 2 child jobs (#4 research, #5 writer): ...`; None if there are none."""
        if not self.commis:
            return None
        jobs = counted(len(self.commis), "child job")
        return f"With its {jobs} ({self.names()}): {self.sums_with(own)}."

    def to_dict(self) -> dict[str, Any]:
        """Give their sums, without those of the one above, for JSON."""
        totals = [one.totals for one in self.commis]
        return {
            "jobs": len(self.commis),
            "llm_calls": sum(one.llm_calls for one in totals),
            "tool_calls": sum(one.tool_calls for one in totals),
            "total_tokens": sum(_tokens(one) for one in totals),
            "complete": self.complete,
        }


def descendants(
    store: CommisStore,
    commis_id: str,
    records: Iterable[Record],
    sees: Callable[[CommisMetadata], bool] = lambda _: True,
) -> Descendants:
    """Find the commis below one by the runs that stand in its records and in theirs.

    Args:
        store: Where they lie.
        commis_id: The one above.
        records: Its records.
        sees: Which of them may be counted and named.
    """
    seen = {commis_id}
    found: list[CommisMetadata] = []
    children = 0
    complete = True
    todo = deque((child_id, True) for child_id in _started_in(records))
    while todo:
        child_id, is_child = todo.popleft()
        if child_id in seen:
            continue
        seen.add(child_id)
        if len(found) == MAX_READ:
            complete = False
            break
        try:
            metadata = store.metadata_or_stub(store.find(child_id))
        except CommisNotFoundError:  # pruned
            complete = False
            continue
        if not sees(metadata):
            continue
        read = records_of(store, metadata.commis_id)
        complete = complete and read.problem is None
        found.append(with_totals(metadata, read))
        children += is_child
        todo.extend((inner_id, False) for inner_id in _started_in(read.items))
    return Descendants(commis=tuple(found), children=children, complete=complete)


def _started_in(records: Iterable[Record]) -> list[str]:
    runs = (record for record in records if isinstance(record, CommisRunRecord))
    return [run.commis_id for run in runs if run.commis_id is not None]


def _name(commis: CommisMetadata) -> str:
    job = "" if commis.job_id is None else f"#{commis.job_id} "
    how = "" if commis.status == "success" else f" ({commis.status})"
    return f"{job}{one_line(commis.name, NAME_MAX)}{how}"


def _tokens(totals: CommisTotals) -> int:
    return totals.total_tokens or totals.prompt_tokens + totals.completion_tokens
