"""What is in flight: calls and commis that have started and not ended yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from zerg_visibility.callbacks.runs import ActiveSegment, OpenCall, OpenRun

Kind: TypeAlias = Literal["llm_call", "tool_call", "commis_run"]


class OpenCallInfo(NamedTuple):
    """A call or a commis that is in flight.

    Args:
        kind: What its record will be.
        name: The model, the tool or the commis.
        commis_id: The commis that it is in, or is.
        commis_name: That commis's name.
        job_id: That commis's number.
        start_us: When it started, in microseconds since 1970-01-01 UTC.
        last_event_us: When it was last heard of: a model's first token, else the start.
        span_id: 16 hex digits; the record will carry the same.
        parent_span_id: 16 hex digits of what it was started in.
    """

    kind: Kind
    name: str
    commis_id: str | None
    commis_name: str | None
    job_id: int | None
    start_us: int
    last_event_us: int
    span_id: str
    parent_span_id: str | None


def in_flight(runs: Iterable[OpenRun]) -> list[OpenCallInfo]:
    """Tell of the calls and commis among open runs; a forked child leaves out its parent's."""
    pid = os.getpid()
    found = []
    for run in runs:
        if run.root.pid != pid:
            continue
        if isinstance(run, OpenCall):
            first_token_ns = run.first_token_ns or run.start_ns
            last_us = run.start_us + (first_token_ns - run.start_ns) // 1000
            found.append(_info(run.kind, run, run.inside, last_us))
        elif run.root_of is not None and not run.root_of.ended:
            found.append(_info("commis_run", run.root_of, run.root_of, run.root_of.start_us))
    return found


def _info(
    kind: Kind, it: OpenCall | ActiveSegment, commis: ActiveSegment | None, last_us: int
) -> OpenCallInfo:
    return OpenCallInfo(
        kind=kind,
        name=it.name or "model",
        commis_id=None if commis is None else commis.commis_id,
        commis_name=None if commis is None else commis.name,
        job_id=None if commis is None else commis.job_id,
        start_us=it.start_us,
        last_event_us=last_us,
        span_id=it.span_id,
        parent_span_id=it.parent_span_id,
    )
