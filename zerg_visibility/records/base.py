"""What every record has.

The order of the JSON fields is the specification's, then ours. A field without a value is left
out of the JSON, never written as 0 or "".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from zerg_visibility.clock import parse_us
from zerg_visibility.records.columns import Columned
from zerg_visibility.schema import checked_fields


class UnknownEventError(ValueError):
    """A line tells of something that this version knows nothing of; a newer one wrote it."""


class TimedRecord(Columned):
    """What every record has: when it began and ended, and where it belongs in a trace.

    Args:
        start_us: Start, in microseconds since 1970-01-01 UTC, from the wall clock.
        end_us: Start plus the monotonic duration, so that a clock step changes no duration.
        trace_id: 32 hex digits (W3C Trace Context); one root run of the concierge is one trace.
        span_id: 16 hex digits of this record's own span.
        parent_span_id: 16 hex digits of the enclosing call, commis or root run.
        error: `TypeName: message` on one line, where it failed.
    """

    event: ClassVar[str]
    logged_as: ClassVar[str]
    """What its line in the log begins with, if it has one."""
    logged: ClassVar[tuple[str, ...]]
    """The columns in that line: the specification's in its order, then ours."""
    _title: ClassVar[str] = "name"

    start_ts: str
    """The start as an ISO 8601 timestamp in UTC."""
    end_ts: str
    """The end as an ISO 8601 timestamp in UTC."""
    duration_ms: int
    """Whole milliseconds between start and end."""
    start_us: int
    end_us: int
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    error: str | None

    def __repr__(self) -> str:
        title = getattr(self, self._title)
        failed = "" if self.error is None else f", {self.error[:80]!r}"
        return f"<{self.event} {title!r}, {self.duration_ms:,} ms{failed}>"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a record from its JSON object; unknown fields are ignored.

        Raises:
            ValueError: A field that every record has is missing or malformed.
        """
        try:
            values = checked_fields(cls, data)
            values["start_us"] = parse_us(data["start_ts"])
            values["end_us"] = parse_us(data["end_ts"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a {cls.event} record: {error!r}") from error
        return cls(**values)
