"""The typed facts that pass between LangChain on one side and the sinks on the other.

The order of the JSON fields is the specification's, then ours. A field without a value is left
out of the JSON, never written as 0 or "".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeAlias

import orjson

from zerg_visibility.clock import format_us, parse_us
from zerg_visibility.plain import is_soon_written, plain
from zerg_visibility.status import CommisStatus
from zerg_visibility.typed import checkable, checked_fields


class UnknownEventError(ValueError):
    """A line tells of something that this version knows nothing of; a newer one wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TimedRecord:
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
    _title: ClassVar[str] = "name"
    _names: ClassVar[tuple[str, ...]]
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]]

    start_us: int
    end_us: int
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    error: str | None = None

    def __repr__(self) -> str:
        title = getattr(self, self._title)
        failed = "" if self.error is None else f", {self.error[:80]!r}"
        return f"<{self.event} {title!r}, {self.duration_ms:,} ms{failed}>"

    @property
    def start_ts(self) -> str:
        """The start as an ISO 8601 timestamp in UTC."""
        return format_us(self.start_us)

    @property
    def end_ts(self) -> str:
        """The end as an ISO 8601 timestamp in UTC."""
        return format_us(self.end_us)

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds between start and end."""
        return (self.end_us - self.start_us) // 1000

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of this record, in the documented order, without empty fields."""
        cls = type(self)
        return {
            name: value
            for name, value in zip(cls._names, cls._values(self), strict=True)
            if value is not None
        }

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


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LLMCallRecord(TimedRecord):
    """One finished call of a language model.

    Args:
        phase: `initial`, `tool_decision`, `synthesis`, or a name that the user gave.
        model: The model as served, else as requested.
        prompt_tokens: Tokens in, as the provider counted them; None if it did not.
        completion_tokens: Tokens out.
        total_tokens: Both together.
        cached_tokens: Those of the prompt tokens that came from the provider's cache.
        reasoning_tokens: Those of the completion tokens that were hidden reasoning.
        ttft_ms: Milliseconds to the first streamed content; None for a call that did not stream.
        cost_usd: US dollars, where prices are known.
        requested_model: The model that was asked for.
        cache_hit: True if LangChain's cache answered and the provider was not called.
        finish_reason: Why the answer ends where it does, in the provider's word: `length` if it was
            cut off; None if the provider did not say, or broke off.
        success: False if the call raised, was cancelled or timed out.
        node: The LangGraph node that made the call.
        attempt: 1, or more if this is a retry.
        commis_id: The commis that made the call, if one did.
        concierge_id: The concierge's root run in which it was made.
    """

    event: ClassVar[str] = "llm_call"
    _title: ClassVar[str] = "model"

    phase: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    ttft_ms: int | None = None
    cost_usd: float | None = None
    requested_model: str | None = None
    cache_hit: bool | None = None
    finish_reason: str | None = None
    success: bool = True
    node: str | None = None
    attempt: int | None = None
    commis_id: str | None = None
    concierge_id: str | None = None

    _names: ClassVar[tuple[str, ...]] = (
        "event", "phase", "model", "start_ts", "end_ts", "duration_ms", "prompt_tokens",
        "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "ttft_ms",
        "cost_usd", "requested_model", "cache_hit", "finish_reason", "success", "error", "node",
        "attempt", "commis_id", "concierge_id", "trace_id", "span_id", "parent_span_id",
    )  # fmt: skip
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_names)


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToolCallRecord(TimedRecord):
    """One finished call of a tool.

    Args:
        tool: The tool's name.
        success: False if it raised, answered with an error, was cancelled or timed out.
        tool_call_id: The id that the model gave the call.
        output_file: Where its full output lies, relative to the commis's directory.
        output_bytes: How many bytes that file has.
        node: The LangGraph node that ran the tool.
        attempt: 1, or more if this is a retry.
        commis_id: The commis that ran the tool, if one did.
        concierge_id: The concierge's root run in which it ran.
    """

    event: ClassVar[str] = "tool_call"
    _title: ClassVar[str] = "tool"

    tool: str = "tool"
    success: bool = True
    tool_call_id: str | None = None
    output_file: str | None = None
    output_bytes: int | None = None
    node: str | None = None
    attempt: int | None = None
    commis_id: str | None = None
    concierge_id: str | None = None

    _names: ClassVar[tuple[str, ...]] = (
        "event", "tool", "start_ts", "end_ts", "duration_ms", "success", "error", "tool_call_id",
        "output_file", "output_bytes", "node", "attempt", "commis_id", "concierge_id", "trace_id",
        "span_id", "parent_span_id",
    )  # fmt: skip
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_names)


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CommisRunRecord(TimedRecord):
    """One segment of a commis: from its start, resume or retry to the next time it stopped.

    Args:
        name: The commis's name, as the concierge's graph or tool calls it.
        job_id: The number under which the concierge knows it.
        commis_id: The name of its directory.
        status: How the segment ended.
        concierge_id: The concierge's root run that it was started in (not part of the JSON; it
            says which file the record belongs to).
    """

    event: ClassVar[str] = "commis_run"

    name: str = "commis"
    job_id: int | None = None
    commis_id: str | None = None
    status: CommisStatus = "success"
    concierge_id: str | None = None

    _names: ClassVar[tuple[str, ...]] = (
        "event", "name", "job_id", "commis_id", "status", "start_ts", "end_ts", "duration_ms",
        "error", "trace_id", "span_id", "parent_span_id",
    )  # fmt: skip
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_names)


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True)
class CallStart:
    """A call, or the root run of a concierge, that has begun: a line of started.jsonl.

    Args:
        event: That of the record that its end will bring.
        name: The model, the tool or the graph.
        span_id: 16 hex digits; the finished record will carry the same.
        start_us: Microseconds since 1970-01-01 UTC.
        parent_span_id: 16 hex digits of what it was started in.
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
    trace_id: str | None = None
    thread_id: str | None = None
    pid: int | None = None
    pid_started: str | None = None
    host: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of this line, without empty fields."""
        line = started(self.event, self.name, self.span_id, self.start_us, self.parent_span_id)
        if self.pid is not None:
            root = {name: getattr(self, name) for name in _OF_ROOT_RUN}
            line |= {name: value for name, value in root.items() if value is not None}
        return line

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


def started(
    event: str, name: str, span_id: str, start_us: int, parent_span_id: str | None
) -> dict[str, Any]:
    """Give the JSON object of a call's line in started.jsonl, without making a CallStart for it.

    Args:
        event: `llm_call` or `tool_call`.
        name: The model or the tool.
        span_id: 16 hex digits.
        start_us: Microseconds since 1970-01-01 UTC.
        parent_span_id: 16 hex digits; None for a call on its own.
    """
    line = {"event": event, "name": name, "span_id": span_id, "start_ts": format_us(start_us)}
    if parent_span_id is not None:
        line["parent_span_id"] = parent_span_id
    return line


STARTED_EVENTS = frozenset({"llm_call", "tool_call", "concierge_run"})
"""Of which started.jsonl tells that they have begun."""

_OF_ROOT_RUN = ("trace_id", "thread_id", "pid", "pid_started", "host")

Record: TypeAlias = LLMCallRecord | ToolCallRecord | CommisRunRecord

_BY_EVENT: dict[str, type[LLMCallRecord] | type[ToolCallRecord] | type[CommisRunRecord]] = {
    LLMCallRecord.event: LLMCallRecord,
    ToolCallRecord.event: ToolCallRecord,
    CommisRunRecord.event: CommisRunRecord,
}


def record_from_dict(data: Mapping[str, Any]) -> Record:
    """Read any record of a commis from its JSON object.

    Raises:
        UnknownEventError: It is of a newer version.
        ValueError: There is no event, or a field is missing or malformed.
    """
    event = data.get("event")
    if not isinstance(event, str):
        raise ValueError(f"no event: {event!r}")
    cls = _BY_EVENT.get(event)
    if cls is None:
        raise UnknownEventError(f"unknown event {event!r}")
    return cls.from_dict(data)


def json_line(data: Mapping[str, Any]) -> bytes:
    """Write one JSON object as one line of bytes, whatever strings and values it holds."""
    if is_soon_written(data):
        return flat_line(data)
    return orjson.dumps(plain(data), option=orjson.OPT_APPEND_NEWLINE)


def flat_line(data: Mapping[str, Any]) -> bytes:
    """Write a JSON object in which nothing is nested, such as a record's, as one line of bytes."""
    try:
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # A lone surrogate, an integer beyond 64 bits or a foreign object: rare, so paid only here.
        return orjson.dumps(plain(data), option=orjson.OPT_APPEND_NEWLINE)
