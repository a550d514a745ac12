"""What is in flight: calls and commis that have started and not ended yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal, NamedTuple

from zerg_visibility.callbacks.runs import ActiveSegment, OpenCall, OpenRun


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

    kind: Literal["llm_call", "tool_call", "commis_run"]
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
            found.append(_call(run))
        elif run.commis is not None and not run.commis.ended:
            found.append(_commis(run.commis))
    return found


def _call(call: OpenCall) -> OpenCallInfo:
    commis, last_us = call.context, call.start_us
    if call.first_token_ns is not None:
        last_us += (call.first_token_ns - call.start_ns) // 1000
    return OpenCallInfo(
        call.kind,
        call.name or "model",
        None if commis is None else commis.commis_id,
        None if commis is None else commis.name,
        None if commis is None else commis.job_id,
        call.start_us,
        last_us,
        call.span_id,
        call.parent_span_id,
    )


def _commis(commis: ActiveSegment) -> OpenCallInfo:
    return OpenCallInfo(
        "commis_run",
        commis.name,
        commis.commis_id,
        commis.name,
        commis.job_id,
        commis.start_us,
        commis.start_us,
        commis.span_id,
        commis.parent_span_id,
    )
