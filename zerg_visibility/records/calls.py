"""Finished calls of models and tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar

from zerg_visibility.records.base import TimedRecord
from zerg_visibility.schema import checkable


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
