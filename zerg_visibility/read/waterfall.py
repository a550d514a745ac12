"""The calls of a run as rows, for whoever draws or lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from zerg_visibility.read.run import RunFiles, Unended
from zerg_visibility.read.timeline import call_name, is_cut_off, try_text
from zerg_visibility.records.calls import LLMCallRecord
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import FAILED
from zerg_visibility.words import length, one_line

Kind: TypeAlias = Literal["llm", "tool", "commis"]

KINDS: dict[str, Kind] = {"llm_call": "llm", "tool_call": "tool", "commis_run": "commis"}
"""What they are called, by the events of their records."""

NAME_MAX, NOTE_MAX, ERROR_MAX = 80, 20, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call as it is shown; times are in microseconds since 1970.

    `mark` tells apart what has one name: `try 2` of a retry, `cut off` at a limit of tokens, the
    job of a nested commis. `note` is a lesser word, such as the phase of an LLM call. A call
    without an end of its own goes as far as it is known to have run; `took` is `1.2s`, `1.2s+`
    while it goes on, `?` if nobody knows. `tokens` is None if nobody counted.
    """

    kind: Kind
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


def rows_of(run: RunFiles) -> list[Row]:
    """Give all that ran in a run, by start."""
    rows = [row_of(record) for record in run.records]
    for what, start in run.unrecorded:
        stopped = what == "stopped"
        until_us = run.segment_end_us(start.start_us) if stopped else run.until_us
        rows.append(_unended(start, what, until_us))
    return sorted(rows, key=lambda row: (row.start_us, row.end_us))


def _unended(start: CallStarted, what: Unended, until_us: int | None) -> Row:
    end_us = max(until_us or 0, start.start_us)
    took = "?" if until_us is None else length(end_us - start.start_us)
    is_commis = start.event == CommisRunRecord.event
    return Row(
        kind=KINDS[start.event],
        name=one_line(start.name, NAME_MAX),
        mark=_job(start.job_id) if is_commis else "",
        start_us=start.start_us,
        end_us=end_us,
        took=f"{took}+" if what == "open" else took,
        unended=what,
    )


def row_of(record: Record) -> Row:
    """Say what is shown of something that has ended."""
    llm = record if isinstance(record, LLMCallRecord) else None
    if isinstance(record, CommisRunRecord):
        name, mark, failed = record.name, _job(record.job_id), record.status in FAILED
    else:
        name, failed = call_name(record), not record.success
        mark = f"{try_text(record)}{' cut off' if is_cut_off(record) else ''}".strip()
    return Row(
        kind=KINDS[record.event],
        name=one_line(name, NAME_MAX),
        mark=mark,
        note=one_line(llm.phase or "", NOTE_MAX) if llm else "",
        start_us=record.start_us,
        end_us=record.end_us,
        took=length(record.end_us - record.start_us),
        tokens=llm.total_tokens if llm else None,
        failed=failed,
        error=None if record.error is None else one_line(record.error, ERROR_MAX),
    )


def _job(job_id: int | None) -> str:
    return "commis" if job_id is None else f"job {job_id}"
