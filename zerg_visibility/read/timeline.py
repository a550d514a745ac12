"""Where one commis's time went: sums, unions of overlapping calls, the slowest, the failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.store.metadata import CommisTotals

CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS"})
"""What providers give as the reason why an answer ends that reached its limit of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The calls of one commis, ready to be shown.

    Args:
        calls: LLM and tool calls, by start.
        totals: Their sums; times of overlapping calls added up.
        llm_us: Microseconds in which at least one LLM call ran.
        tool_us: Microseconds in which at least one tool ran.
        busy_us: Microseconds in which at least one call of either kind ran.
        open_us: Microseconds in which only a call without an end ran.
        duration_us: Microseconds the commis was at work; never less than both together here.
    """

    calls: tuple[LLMCallRecord | ToolCallRecord, ...]
    totals: CommisTotals
    llm_us: int
    tool_us: int
    busy_us: int
    open_us: int
    duration_us: int

    @property
    def llm_ms(self) -> int:
        """Whole milliseconds in which at least one LLM call ran."""
        return self.llm_us // 1000

    @property
    def tool_ms(self) -> int:
        """Whole milliseconds in which at least one tool ran."""
        return self.tool_us // 1000

    @property
    def busy_ms(self) -> int:
        """Whole milliseconds in which at least one call of either kind ran."""
        return self.busy_us // 1000

    @property
    def open_ms(self) -> int:
        """Whole milliseconds in which only a call without an end ran."""
        return self.open_us // 1000

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds the commis was at work."""
        return self.duration_us // 1000

    @property
    def other_ms(self) -> int:
        """Milliseconds in which no call ran, so that with busy_ms and open_ms it is duration_ms."""
        return self.duration_ms - self.busy_ms - self.open_ms

    @property
    def cut_off(self) -> int:
        """How many answers ended at a limit of tokens, and so may lack their end."""
        return sum(is_cut_off(call) for call in self.calls)

    def slowest(self, count: int) -> tuple[LLMCallRecord | ToolCallRecord, ...]:
        """Give the slowest calls, slowest first."""
        ranked = sorted(self.calls, key=lambda call: call.start_us - call.end_us)
        return tuple(ranked[:count])


def timeline(
    records: Iterable[Record], duration_ms: int | None, open_spans: Iterable[tuple[int, int]] = ()
) -> Timeline:
    """Arrange a commis's records; runs of nested commis are left out.

    The open spans, in microseconds, are those of calls without an end, as far as known.
    """
    calls = sorted(
        (record for record in records if not isinstance(record, CommisRunRecord)),
        key=lambda record: record.start_us,
    )
    ended = [(call.start_us, call.end_us) for call in calls]
    busy_us = union_us(ended)
    covered_us = union_us([*ended, *open_spans])
    return Timeline(
        calls=tuple(calls),
        totals=CommisTotals.of(calls),
        llm_us=union_us((c.start_us, c.end_us) for c in calls if isinstance(c, LLMCallRecord)),
        tool_us=union_us((c.start_us, c.end_us) for c in calls if isinstance(c, ToolCallRecord)),
        busy_us=busy_us,
        open_us=covered_us - busy_us,
        duration_us=max(1000 * (duration_ms or 0), covered_us),
    )


def call_name(call: LLMCallRecord | ToolCallRecord) -> str:
    """Name a call for a reader: its tool, or its model."""
    return call.tool if isinstance(call, ToolCallRecord) else call.model or "model"


def try_text(call: LLMCallRecord | ToolCallRecord) -> str:
    """Say that a call is a retry: `try 2`; nothing of a first attempt."""
    return f"try {call.attempt}" if call.attempt is not None and call.attempt > 1 else ""


def is_cut_off(call: LLMCallRecord | ToolCallRecord) -> bool:
    """Say whether a call is an answer that ended at a limit of tokens."""
    return isinstance(call, LLMCallRecord) and call.finish_reason in CUT_OFF


def union_us(intervals: Iterable[tuple[int, int]]) -> int:
    """Measure the time that at least one of the intervals, each a start and an end, covers."""
    covered = 0
    reached = None
    for start, end in sorted(intervals):
        begun = start if reached is None else max(start, reached)
        if end > begun or reached is None:
            covered += end - begun
            reached = end
    return covered
