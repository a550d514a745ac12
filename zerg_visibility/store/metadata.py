"""What is known of one commis as a whole: the content of metadata.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, assert_never

import orjson

from zerg_visibility.clock import parse_us
from zerg_visibility.errors import MetadataUnreadableError
from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord
from zerg_visibility.records.codec import Record, json_line
from zerg_visibility.records.columns import totals
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.schema import checkable, checked_fields
from zerg_visibility.status import UNENDED, CommisStatus
from zerg_visibility.store.liveness import ProcessMark
from zerg_visibility.store.runs import SegmentRun
from zerg_visibility.words import duration, one_line

SCHEMA_VERSION = 1

TASK_MAX = 10_000
"""Characters of a task in metadata.json; it is read whole at every listing."""

UNKNOWN_OWNER = "[owner unknown]"
"""Whose a commis is if the function that should tell it failed: nobody's but the operator's."""

STATUS_MAX = 40
"""Characters of a status."""

METADATA_MAX_BYTES = 1_000_000
"""A larger metadata.json is none of ours, and is not read whole."""


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True)
class CommisTotals:
    """Sums over the calls of one commis.

    Args:
        llm_calls: Finished LLM calls, failed ones included.
        tool_calls: Finished tool calls, failed ones included.
        llm_failures: LLM calls that failed, were cancelled or timed out.
        tool_failures: The same of tool calls.
        prompt_tokens: Tokens in, over the calls whose provider counted them.
        completion_tokens: Tokens out.
        total_tokens: Both together.
        cached_tokens: Prompt tokens from the provider's cache.
        reasoning_tokens: Completion tokens of hidden reasoning.
        cache_write_tokens: Prompt tokens that were written to the provider's cache.
        calls_without_usage: Successful LLM calls for which no token count came.
        cost_usd: US dollars over the priced calls; None if none was priced.
        unpriced_calls: LLM calls without a price, where prices are used at all.
        llm_ms: Milliseconds in LLM calls, overlapping ones added up.
        tool_ms: Milliseconds in tool calls, overlapping ones added up.
    """

    llm_calls: int = 0
    tool_calls: int = 0
    llm_failures: int = 0
    tool_failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    calls_without_usage: int = 0
    cost_usd: float | None = None
    unpriced_calls: int = 0
    llm_ms: int = 0
    tool_ms: int = 0

    @property
    def all_tokens(self) -> int:
        """Tokens in and out, also where a provider did not add them up."""
        return self.total_tokens or self.prompt_tokens + self.completion_tokens

    @classmethod
    def of(cls, records: Iterable[Record]) -> CommisTotals:
        """Add up any number of records."""
        sums = RunningTotals()
        for record in records:
            sums.add(record)
        return sums.snapshot()


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True)
class DescendantTotals:
    """Sums as those of `CommisTotals`, over all commis below one; `jobs` is how many they are."""

    jobs: int = 0
    llm_calls: int = 0
    tool_calls: int = 0
    total_tokens: int = 0
    cost_usd: float | None = None
    unpriced_calls: int = 0

    @classmethod
    def of(cls, metadata: CommisMetadata) -> DescendantTotals:
        """Give what one commis is to those above it: itself, and all below it."""
        own = {name: getattr(metadata.totals, name) for name in _OF_DESCENDANTS}
        mine = cls(jobs=1, **own)
        return mine if metadata.descendants is None else cls.sum_of((mine, metadata.descendants))

    @classmethod
    def sum_of(cls, several: Iterable[DescendantTotals]) -> DescendantTotals:
        """Add up any number of them."""
        sums = dataclasses.asdict(cls())
        for one in several:
            for name in sums:
                value = getattr(one, name)
                if value is not None:  # as long as no call has a price
                    sums[name] = (sums[name] or 0) + value
        return cls(**sums)


_OF_DESCENDANTS = [field.name for field in dataclasses.fields(DescendantTotals)][1:]

_NOTHING_YET: dict[str, Any] = dataclasses.asdict(CommisTotals())

_SUMMED = totals(LLMCallRecord)


class RunningTotals:
    """Totals that grow record by record; the caller sees to threads."""

    __slots__ = ("_llm_us", "_sums", "_tool_us")

    def __init__(self) -> None:
        self._sums = dict(_NOTHING_YET)
        self._llm_us = 0
        self._tool_us = 0

    def add(self, record: Record) -> None:
        """Count one finished call; a nested commis's run is counted in its own totals."""
        sums = self._sums
        if isinstance(record, LLMCallRecord):
            sums["llm_calls"] += 1
            sums["llm_failures"] += not record.success
            self._llm_us += record.end_us - record.start_us
            if record.total_tokens is None and record.prompt_tokens is None:
                sums["calls_without_usage"] += record.success
            for name in _SUMMED:
                value = getattr(record, name)
                if value is not None:  # dollars are unknown until the first call that has a price
                    sums[name] = (sums[name] or 0) + value
        elif isinstance(record, ToolCallRecord):
            sums["tool_calls"] += 1
            sums["tool_failures"] += not record.success
            self._tool_us += record.end_us - record.start_us
        elif not isinstance(record, CommisRunRecord):
            assert_never(record)

    def snapshot(self) -> CommisTotals:
        """Give the totals so far."""
        times = {"llm_ms": self._llm_us // 1000, "tool_ms": self._tool_us // 1000}
        return CommisTotals(**{**self._sums, **times})


@checkable(apart=("descendants", "runs", "totals"))
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CommisMetadata:
    """One commis as the concierge and the operator know it.

    Args:
        commis_id: The name of its directory.
        job_id: Its number for the concierge; None if none could be allocated.
        name: What the concierge's graph or tool calls it.
        task: What it was asked to do.
        status: How it stands.
        created_at: When its directory was made, ISO 8601 in UTC.
        started_at: When its first segment began.
        segment_started_at: When its latest segment began.
        finished_at: When its last segment ended; None while it is at work.
        duration_ms: Milliseconds at work, summed over segments, from the monotonic clock.
        wall_ms: Milliseconds from first start to last end, waiting included.
        segments: Stretches of work: 1, and one more for each resume or retry.
        attempts: 1, and one more for each time it was started again after anything but an
            interrupt.
        error: Why it failed, on one line.
        owner_id: Whose commis it is, where owners are used.
        parent_commis_id: The commis that started it, if one did.
        concierge_id: The concierge's root run that first started it.
        trace_id: 32 hex digits of the trace of its first segment.
        span_id: 16 hex digits of its first segment's span.
        thread_id: The LangGraph thread, where there is one.
        pid: The process that ran its latest segment.
        pid_started: When that process started, for comparing only.
        host: The host of that process.
        runs: Its segments, the first and the last 50 of them.
        labels: What the user calls it, for comparing it with others.
        totals: Sums over its own calls.
        descendants: Sums over all commis below it; None if there are none.
        dropped_records: Records that could not be written.
        schema_version: Of this file.
    """

    readable: ClassVar[bool] = True
    """Whether this comes from a metadata.json; see `unreadable.py`."""

    commis_id: str
    job_id: int | None = None
    name: str = "commis"
    task: str = ""
    status: CommisStatus = "running"
    created_at: str | None = None
    started_at: str | None = None
    segment_started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int | None = None
    wall_ms: int | None = None
    segments: int = 1
    attempts: int = 1
    error: str | None = None
    owner_id: str | None = None
    parent_commis_id: str | None = None
    concierge_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    thread_id: str | None = None
    pid: int | None = None
    pid_started: str | None = None
    host: str | None = None
    runs: tuple[SegmentRun, ...] = ()
    labels: Mapping[str, str] | None = field(default=None, hash=False)
    totals: CommisTotals = field(default_factory=CommisTotals)
    descendants: DescendantTotals | None = None
    dropped_records: int = 0
    schema_version: int = SCHEMA_VERSION

    def __repr__(self) -> str:
        took = "" if self.duration_ms is None else f", {duration(self.duration_ms)}"
        return f"<commis job {self.job_id}, {self.commis_id}: {self.status}{took}>"

    @property
    def asked(self) -> str | None:
        """What the human is asked that it waits for; None if it does not, or asks nothing."""
        return self.runs[-1].asked if self.status == "interrupted" and self.runs else None

    @property
    def started_us(self) -> int | None:
        """The first start, in microseconds since 1970; None if it is not known."""
        text = self.started_at or self.created_at
        return None if text is None else parse_us(text)

    @property
    def segment_started_us(self) -> int | None:
        """The start of the latest segment, in microseconds since 1970; None if not known."""
        text = self.segment_started_at
        return self.started_us if text is None else parse_us(text)

    def worked_ms(self, until_us: int | None) -> int | None:
        """Give the milliseconds at work, waits left out; None if they are not known.

        Args:
            until_us: Up to when one that has not ended is known to have worked, in microseconds
                since 1970.
        """
        # A stub has only the second in its name, which is no start to measure from.
        since_us = None if self.started_at is None else self.segment_started_us
        if self.status not in UNENDED or until_us is None or since_us is None:
            return self.duration_ms
        return (self.duration_ms or 0) + max(0, until_us - since_us) // 1000

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of metadata.json; here an unknown value is null."""
        known = dataclasses.asdict(self)
        return {**known, "runs": list(known["runs"])}

    def to_json(self) -> bytes:
        """Write the content of metadata.json."""
        try:
            # orjson reads dataclasses itself, without the deep copy that asdict makes.
            return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # a lone surrogate
            return json_line(self.to_dict())

    @classmethod
    def from_json(cls, data: bytes, commis_id: str) -> Self:
        """Read the content of metadata.json; unknown fields are ignored, and another commis id.

        Raises:
            MetadataUnreadableError: It is too large, or is no metadata.
        """
        try:
            if len(data) > METADATA_MAX_BYTES:
                raise ValueError(f"it has more than {METADATA_MAX_BYTES:,} bytes")
            loaded = orjson.loads(data)
            if not isinstance(loaded, dict):
                raise TypeError(f"a JSON object was expected, not {type(loaded).__name__}")
            totals = CommisTotals(**checked_fields(CommisTotals, loaded.pop("totals", None) or {}))
            below = loaded.pop("descendants", None)
            runs = tuple(SegmentRun.from_dict(run) for run in loaded.pop("runs", None) or ())
            values = checked_fields(cls, loaded)
            if below is not None:
                values["descendants"] = DescendantTotals(**checked_fields(DescendantTotals, below))
            if "status" in values:  # a newer version may write others, which are shown as they are
                values["status"] = one_line(values["status"], STATUS_MAX)
            for moment in ("created_at", "started_at", "segment_started_at", "finished_at"):
                if values.get(moment) is not None:
                    parse_us(values[moment])
        except (TypeError, ValueError, AttributeError) as error:
            raise MetadataUnreadableError(
                f"metadata.json of commis {commis_id} is not readable ({error}); "
                f"its metrics.jsonl may still be"
            ) from error
        values |= {"commis_id": commis_id, "totals": totals, "runs": runs}
        return cls(**values)

    def seen_now(self) -> Self:
        """Give the metadata as a reader should see it: `lost` if its process is gone."""
        if self.status != "running" or self.pid is None or self.host is None:
            return self
        mark = ProcessMark(pid=self.pid, pid_started=self.pid_started, host=self.host)
        return replace(self, status="lost") if mark.is_gone() else self
