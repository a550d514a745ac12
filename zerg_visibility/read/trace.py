"""One trace: its root runs, the commis that ran in it, and every call, as a flat list of spans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, Self

from zerg_visibility.clock import format_us, parse_us
from zerg_visibility.errors import CommisNotFoundError, RunNotFoundError
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.concierge import Concierge
from zerg_visibility.read.run import RunFiles
from zerg_visibility.read.tables import html_table
from zerg_visibility.read.timeline import call_name
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.status import UNENDED
from zerg_visibility.store.directory import StoreDirectory
from zerg_visibility.store.layout import trace_dir
from zerg_visibility.store.system import posix
from zerg_visibility.words import counted, length, one_line

COMMIS_MAX = 2000
"""So many commis of one trace are read."""

SPANS_SHOWN = 50
"""The first spans, for a look in a notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One thing that took time in a trace.

    Args:
        span_id: 16 hex digits; None for a call that was recorded without.
        parent_span_id: 16 hex digits of what it was part of.
        kind: `concierge`, `commis` (one segment of it), `llm_call` or `tool_call`.
        name: The graph, the commis, the model or the tool.
        status: `success`, `failed`, or as a commis stands; `waiting` for a human, or `stopped` with
            its segment, of a call without a record.
        start_us: Microseconds since 1970.
        end_us: The same; None if it has no end that is known.
        commis_id: The commis that it is, or ran in.
        job_id: Its number.
        error: Why it failed.
    """

    span_id: str | None
    parent_span_id: str | None
    kind: str
    name: str
    status: str
    start_us: int
    end_us: int | None
    commis_id: str | None = None
    job_id: int | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON object, without empty fields."""
        return {
            field.name.replace("_us", "_ts"): format_us(value) if "_us" in field.name else value
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class Trace:
    """One trace as it stood when it was read, found without a search over all commis.

    Args:
        trace_id: 32 hex digits.
        concierges: Its root runs, by start.
        commis: Those that ran in it, by start; other segments of theirs may be in other traces.
        spans: Everything in it, by start.
        complete: Whether all of its commis were read: at most 2,000 are.
    """

    trace_id: str
    concierges: tuple[Concierge, ...]
    commis: tuple[Commis, ...]
    spans: tuple[Span, ...]
    complete: bool

    def __repr__(self) -> str:
        return (
            f"<Trace {self.trace_id}: {counted(len(self.concierges), 'concierge run')}, "
            f"{len(self.commis):,} commis, {counted(len(self.spans), 'span')}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            (span.kind, one_line(span.name, 60), span.status,
             "" if span.end_us is None else length(span.end_us - span.start_us))
            for span in self.spans[:SPANS_SHOWN]
        ]  # fmt: skip
        more = "" if len(self.spans) <= SPANS_SHOWN else "and later ones"
        return html_table(("kind", "name", "status", "time"), rows) + more

    @classmethod
    def find(cls, store: StoreDirectory, any_id: str | int) -> Self:
        """Read the trace of a trace id, concierge id, commis id or job id.

        Raises:
            RunNotFoundError: Nothing is known under that id.
        """
        trace_id, found = _entry(store, any_id)
        concierges, commis, complete = _gather(store, trace_id, found)
        if not concierges and not commis:
            raise RunNotFoundError(f"no trace {str(any_id)[:80]!r} in {store.root}")
        spans = [span for one in concierges for span in _spans_of_concierge(one)]
        spans += [span for one in commis for span in _spans_of_commis(one, trace_id)]
        return cls(
            trace_id=trace_id,
            concierges=tuple(sorted(concierges, key=lambda one: one.start_us)),
            commis=tuple(sorted(commis, key=lambda one: one.start_us)),
            spans=tuple(sorted(spans, key=lambda span: (span.start_us, span.kind != "concierge"))),
            complete=complete,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON object."""
        return {
            "trace_id": self.trace_id,
            "concierge_ids": [one.concierge_id for one in self.concierges],
            "commis_ids": [one.commis_id for one in self.commis],
            "complete": self.complete,
            "spans": [span.to_dict() for span in self.spans],
        }


def _entry(store: StoreDirectory, any_id: str | int) -> tuple[str, list[str]]:
    """Give the trace that an id belongs to, and the run that the id itself names."""
    with suppress(CommisNotFoundError):
        commis = Commis.find(store, any_id)
        of_records = next((one.trace_id for one in commis.records if one.trace_id), "")
        return commis.metadata.trace_id or of_records, [commis.commis_id]
    with suppress(RunNotFoundError):
        concierge = Concierge.find(store, str(any_id))
        return concierge.trace_id or "", [concierge.concierge_id]
    return str(any_id), []


def _gather(
    store: StoreDirectory, trace_id: str, names: list[str]
) -> tuple[list[Concierge], list[Commis], bool]:
    """Follow a trace from what is known of it up to its roots, and down to all commis."""
    concierges: dict[str, Concierge] = {}
    commis: dict[str, Commis] = {}
    todo = [*_listed(store, trace_id), *names]
    seen: set[str] = set()
    while todo and len(commis) < COMMIS_MAX:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        with suppress(RunNotFoundError):
            run = concierges[name] = Concierge.find(store, name)
            todo += [child.commis_id for child in run.children]
            continue
        try:
            one = Commis.find(store, name)
        except CommisNotFoundError:  # pruned, or no id of ours
            continue
        known = one.metadata
        own = [run.concierge_id for run in known.runs if run.trace_id == trace_id]
        if own or known.trace_id == trace_id or one.problem is not None:
            commis[name] = one
            above = [*own, known.parent_commis_id]
            todo += [*filter(None, above), *(child.commis_id for child in one.children)]
    return list(concierges.values()), list(commis.values()), not todo


def _listed(store: StoreDirectory, trace_id: str) -> list[str]:
    try:
        return posix.listdir(trace_dir(store.root, trace_id))
    except (OSError, ValueError):  # of an older version, or there is none
        return []


def _spans_of_concierge(one: Concierge) -> Iterator[Span]:
    source = one.run or one.begun
    if source is not None:
        end_us = None if one.status in UNENDED else one.until_us
        yield Span(
            span_id=source.span_id, parent_span_id=source.parent_span_id, kind="concierge",
            name=one.name, status=one.status, start_us=one.start_us, end_us=end_us, error=one.error,
        )  # fmt: skip
    yield from _calls(one, one.trace_id or "")


def _spans_of_commis(one: Commis, trace_id: str) -> Iterator[Span]:
    known = one.written
    for run in known.runs:
        if run.trace_id != trace_id:
            continue
        is_last = run is known.runs[-1]
        yield Span(
            span_id=run.span_id, parent_span_id=run.parent_span_id, kind="commis", name=known.name,
            # A segment that was killed never said how it ended.
            status=known.status if is_last else "lost" if run.end_ts is None else run.status,
            start_us=one.start_us if run.start_ts is None else parse_us(run.start_ts),
            end_us=None if run.end_ts is None else parse_us(run.end_ts),
            commis_id=one.commis_id, job_id=one.job_id, error=known.error if is_last else None,
        )  # fmt: skip
    yield from _calls(one, trace_id)


def _calls(one: RunFiles, trace_id: str) -> Iterator[Span]:
    """Give the calls of a run, of a commis only those of one trace."""
    commis = one if isinstance(one, Commis) else None
    commis_id, job_id = (commis.commis_id, commis.job_id) if commis else (None, None)
    for record in one.records:
        if isinstance(record, CommisRunRecord) or (commis and record.trace_id != trace_id):
            continue
        yield Span(
            span_id=record.span_id, parent_span_id=record.parent_span_id, kind=record.event,
            name=call_name(record), status="success" if record.success else "failed",
            start_us=record.start_us, end_us=record.end_us, commis_id=commis_id, job_id=job_id,
            error=record.error,
        )  # fmt: skip
    for what, start in one.unrecorded:
        segment = commis.segment_at(start.start_us) if commis else None
        is_elsewhere = segment is not None and segment.trace_id != trace_id
        if start.event == CommisRunRecord.event or is_elsewhere:
            continue
        end_us = one.segment_end_us(start.start_us) if what == "stopped" else None
        yield Span(
            span_id=start.span_id, parent_span_id=start.parent_span_id, kind=start.event,
            name=start.name, status=one.status if what == "open" else what,
            start_us=start.start_us, end_us=end_us, commis_id=commis_id, job_id=job_id,
        )  # fmt: skip
