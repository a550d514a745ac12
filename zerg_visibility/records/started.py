"""What has begun: the lines of started.jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from zerg_visibility.clock import parse_us
from zerg_visibility.records.base import UnknownEventError
from zerg_visibility.records.columns import Columned, record
from zerg_visibility.schema import checked_fields


@record
class CallStarted(Columned):
    """A call, a commis or the root run of a concierge that has begun: a line of started.jsonl.

    Args:
        event: That of the record that its end will bring.
        name: The model, the tool or the graph.
        span_id: 16 hex digits; the finished record will carry the same.
        start_us: Microseconds since 1970-01-01 UTC.
        parent_span_id: 16 hex digits of what it was started in.
        args: Of a tool call: its arguments as one JSON text, redacted and bounded.
        ns: The LangGraph namespace below its commis or root run, uuids cut to 8 hex digits.
        commis_id: Of a commis: the name of its directory.
        job_id: Of a commis: its number.
        trace_id: Of a root run only, as are the following: 32 hex digits.
        thread_id: The LangGraph thread.
        pid: The process that runs it.
        pid_started: When that process started, for comparing only.
        host: The host of that process.
    """

    event: str
    name: str
    span_id: str
    start_us: int
    parent_span_id: str | None = None
    args: str | None = None
    ns: str | None = None
    commis_id: str | None = None
    job_id: int | None = None
    trace_id: str | None = None
    thread_id: str | None = None
    pid: int | None = None
    pid_started: str | None = None
    host: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a started line from its JSON object.

        Raises:
            UnknownEventError: It is of a newer version.
            ValueError: A field is missing or malformed.
        """
        if data.get("event") not in STARTED_EVENTS:
            raise UnknownEventError(f"unknown event {data.get('event')!r}")
        try:
            values = checked_fields(cls, data)
            values["start_us"] = parse_us(data["start_ts"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a line of started.jsonl: {error!r}") from error


STARTED_EVENTS = frozenset({"llm_call", "tool_call", "commis_run", "concierge_run"})
"""Of which started.jsonl tells that they have begun."""
