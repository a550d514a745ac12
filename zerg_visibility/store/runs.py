"""The segments of a commis, as metadata.json lists them: its way to every root run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from zerg_visibility.clock import parse_us
from zerg_visibility.schema import checkable, checked_fields

KEPT_AT_EACH_END = 50
"""Of more segments than twice as many, the first and the last are kept."""

ASKED_MAX = 500
"""Characters of a question to a human."""


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRun:
    """One segment of a commis and its place in a trace.

    Args:
        span_id: 16 hex digits of its own span, which its calls name as their parent.
        parent_span_id: 16 hex digits of what started it; None if it ran on its own.
        trace_id: 32 hex digits.
        concierge_id: The root run that it was part of, if there was one.
        start_ts: When it began, ISO 8601 in UTC.
        end_ts: When it ended; None while it is at work, or if it was killed.
        status: How it ended, or `running`.
        asked: What the human is asked that it waits for.
    """

    span_id: str
    parent_span_id: str | None = None
    trace_id: str | None = None
    concierge_id: str | None = None
    start_ts: str | None = None
    end_ts: str | None = None
    status: str = "running"
    asked: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one from its JSON object; TypeError or ValueError if it is none."""
        values = checked_fields(cls, data)
        for moment in ("start_ts", "end_ts"):
            if values.get(moment) is not None:
                parse_us(values[moment])
        return cls(**values)


def kept(runs: Iterable[SegmentRun]) -> tuple[SegmentRun, ...]:
    """Give the first and the last segments of any number."""
    every = tuple(runs)
    if len(every) <= 2 * KEPT_AT_EACH_END:
        return every
    return every[:KEPT_AT_EACH_END] + every[-KEPT_AT_EACH_END:]
