"""The calls of a run as bars over time: rows, scale and remarks, for whoever draws them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from zerg_visibility.read.run import RunFiles, Unended
from zerg_visibility.read.scale import Wait, waits_to_fold
from zerg_visibility.read.timeline import call_name, is_cut_off, try_text
from zerg_visibility.records.calls import LLMCallRecord
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import FAILED, UNENDED
from zerg_visibility.words import length, one_line

MAX_ROWS = 200
"""More calls than this are shown by their first and last; `--json` and metrics.jsonl have all."""

UNSEEN_SHARE = 0.02
"""A difference between the bars and the time at work is explained from this share on."""

NAME_MAX, NOTE_MAX, ERROR_MAX = 80, 20, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call as it is shown.

    Args:
        kind: What it is, which gives the bar its colour.
        name: Model, tool or nested commis.
        mark: Which of that name it is: `try 2` of a retry, `cut off` at a limit of tokens, the job
            of a nested commis.
        note: A lesser word on it: the phase of an LLM call.
        start_us: Microseconds since 1970.
        end_us: The same; for a call without an end, as far as it is known to have run.
        tokens: All tokens of it; None if nobody counted.
        failed: Whether it failed.
        unended: What became of it if it has no end of its own.
        took: How long it took, in words: `1.2s`, `1.2s+` while it goes on, `?` if nobody knows.
        error: Why it failed.
    """

    kind: Literal["llm", "tool", "commis"]
    name: str
    mark: str = ""
    note: str = ""
    start_us: int
    end_us: int
    took: str
    tokens: int | None = None
    failed: bool = False
    unended: Unended | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """What a drawing of a run shows.

    Args:
        rows: The calls, by start; of very many the first and the last.
        left_out: How many are missing in the middle of the rows.
        start_us: Where the scale begins, in microseconds since 1970.
        end_us: Where it ends.
        waits: What is folded, by start.
        remarks: Why the bars go further than the time at work, where that can be seen.
    """

    rows: tuple[Row, ...]
    left_out: int
    start_us: int
    end_us: int
    waits: tuple[Wait, ...]
    remarks: tuple[str, ...]

    @property
    def shown_us(self) -> int:
        """How much time the bars cover."""
        return self.end_us - self.start_us - sum(wait.length_us for wait in self.waits)


def waterfall_of(run: RunFiles, most_waits: int = 100) -> Waterfall:
    """Arrange a run for drawing.

    Args:
        run: A commis, or a root run of a concierge.
        most_waits: At most so many waits are folded, of those that can have been between segments.
    """
    rows = sorted(_rows_of(run), key=lambda row: (row.start_us, row.end_us))
    start_us = min([run.start_us, *(row.start_us for row in rows)])
    end_us = max([run.until_us, *(row.end_us for row in rows)])
    spans = [(row.start_us, row.end_us) for row in rows]
    between = run.segments - 1
    waits = waits_to_fold(spans, start_us, end_us, at_most=min(between, most_waits))
    shown_us = end_us - start_us - sum(wait.length_us for wait in waits)
    half, left_out = MAX_ROWS // 2, max(0, len(rows) - MAX_ROWS)
    return Waterfall(
        rows=tuple([*rows[:half], *rows[-half:]] if left_out else rows),
        left_out=left_out,
        start_us=start_us,
        end_us=end_us,
        waits=waits,
        remarks=tuple(_outside_work(run, shown_us)) if rows else (),
    )


def _rows_of(run: RunFiles) -> Iterator[Row]:
    yield from map(row_of, run.records)
    for what, start in run.unrecorded:
        stopped = what == "stopped"
        yield _unended(start, what, run.segment_end_us(start.start_us) if stopped else run.until_us)


def _unended(start: CallStarted, what: Unended, until_us: int | None) -> Row:
    end_us = max(until_us or 0, start.start_us)
    took = "?" if until_us is None else length(end_us - start.start_us)
    is_commis = start.event == CommisRunRecord.event
    return Row(
        kind="commis" if is_commis else "llm" if start.event == LLMCallRecord.event else "tool",
        name=one_line(start.name, NAME_MAX),
        mark=_job(start.job_id) if is_commis else "",
        start_us=start.start_us,
        end_us=end_us,
        took=f"{took}+" if what == "open" else took,
        unended=what,
    )


def row_of(record: Record) -> Row:
    """Say what is shown of something that has ended."""
    error = None if record.error is None else one_line(record.error, ERROR_MAX)
    took = length(record.end_us - record.start_us)
    if isinstance(record, CommisRunRecord):
        return Row(
            kind="commis",
            name=one_line(record.name, NAME_MAX),
            mark=_job(record.job_id),
            start_us=record.start_us,
            end_us=record.end_us,
            took=took,
            failed=record.status in FAILED,
            error=error,
        )
    llm = record if isinstance(record, LLMCallRecord) else None
    return Row(
        kind="llm" if llm else "tool",
        name=one_line(call_name(record), NAME_MAX),
        mark=f"{try_text(record)}{' cut off' if is_cut_off(record) else ''}".strip(),
        note=one_line(llm.phase or "", NOTE_MAX) if llm else "",
        start_us=record.start_us,
        end_us=record.end_us,
        took=took,
        tokens=llm.total_tokens if llm else None,
        failed=not record.success,
        error=error,
    )


def _job(job_id: int | None) -> str:
    return "commis" if job_id is None else f"job {job_id}"


def _outside_work(run: RunFiles, shown_us: int) -> Iterator[str]:
    if run.status in UNENDED or run.at_work_ms is None:
        return
    outside_us = shown_us - 1000 * run.at_work_ms
    if outside_us < max(1000, shown_us * UNSEEN_SHARE):
        return
    waited = run.segments > 1
    why = "it waited to be resumed" if waited else "its files were made, or a call outlasted it"
    yield f"{length(outside_us)} of these {length(shown_us)} are not its time at work: {why}"
