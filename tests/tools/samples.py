"""Records with round numbers, for tests that compare whole texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zerg_visibility import LLMCallRecord, Record, ToolCallRecord
from zerg_visibility.records.started import CallStarted

START_US = 1_765_771_688_000_000


def llm(start_ms: int, duration_ms: int, model: str = "gpt-5-mini", **known: Any) -> LLMCallRecord:
    start_us = START_US + start_ms * 1000
    return LLMCallRecord(
        start_us=start_us, end_us=start_us + duration_ms * 1000, model=model, **known
    )


def tool(start_ms: int, duration_ms: int, name: str = "ssh_exec", **known: Any) -> ToolCallRecord:
    start_us = START_US + start_ms * 1000
    return ToolCallRecord(
        start_us=start_us, end_us=start_us + duration_ms * 1000, tool=name, **known
    )


def moved(record: Record, start_us: int) -> Record:
    """Give a record that begins when a commis does, so many microseconds since 1970."""
    by = start_us - START_US
    return replace(record, start_us=record.start_us + by, end_us=record.end_us + by)


def begun(name: str, start_us: int, event: str = "tool_call", span: int = 1) -> CallStarted:
    return CallStarted(event=event, name=name, span_id=f"{span:016x}", start_us=start_us)


THE_USUAL = (
    llm(
        0,
        2000,
        prompt_tokens=5000,
        completion_tokens=45,
        total_tokens=5045,
        cached_tokens=4000,
        cost_usd=0.0011,
    ),
    tool(2000, 7200),
    tool(9200, 700, "ls"),
    tool(9900, 1000, "ls", success=False, error="FileNotFoundError: /nowhere"),
    llm(
        10_900,
        4100,
        prompt_tokens=7200,
        completion_tokens=100,
        total_tokens=7300,
        cached_tokens=6000,
        cost_usd=0.0020,
    ),
)
"""Two LLM calls of 6.1 s, three tool calls of 8.9 s, one of them failed."""
