"""Finished calls of models and tools."""

from __future__ import annotations

from typing import ClassVar

from zerg_visibility.records.base import TimedRecord
from zerg_visibility.records.columns import column, record


class CallRecord(TimedRecord):
    """What a finished call of a model and one of a tool have both.

    Args:
        success: False if the call failed, was cancelled or timed out.
        node: The LangGraph node that made the call.
        attempt: 1, or more if this is a retry.
        commis_id: The commis that made the call, if one did.
        commis_name: What that commis is called.
        concierge_id: The concierge's root run in which it was made.
        agent: The agent that made it, as `create_agent(name=...)` calls it.
        ns: The LangGraph namespace below its commis or root run, uuids cut to 8 hex digits: calls
            with the same one were made by the same execution of a node.
    """


@record
class LLMCallRecord(CallRecord):
    """One finished call of a language model.

    Args:
        phase: `initial`, `tool_decision`, `synthesis`, or a name that the user gave.
        model: The model as served, else as requested.
        prompt_tokens: Tokens in, as the provider counted them, those from and to its cache
            included; None if it did not.
        completion_tokens: Tokens out, hidden reasoning included.
        total_tokens: Both together.
        cached_tokens: Those of the prompt tokens that came from the provider's cache.
        reasoning_tokens: Those of the completion tokens that were hidden reasoning.
        ttft_ms: Milliseconds to the first streamed content; None for a call that did not stream.
        cost_usd: US dollars, where prices are known.
        requested_model: The model that was asked for.
        cache_hit: True if LangChain's cache answered and the provider was not called.
        finish_reason: Why the answer ends where it does, in the provider's word: `length` if it was
            cut off; None if the provider did not say, or broke off.
        provider: Who serves the model, as LangChain's `ls_provider` has it.
        cache_write_tokens: Those of the prompt tokens that were written to the provider's cache.
        cache_write_1h_tokens: Those of them that are kept for an hour, which costs more.
        audio_prompt_tokens: Those of the prompt tokens that were audio.
        audio_completion_tokens: Those of the completion tokens that were audio.
        unpriced: Why there is no `cost_usd`, where prices are used.
    """

    event: ClassVar[str] = "llm_call"
    logged_as: ClassVar[str] = "llm_call_complete"
    logged: ClassVar[tuple[str, ...]] = (
        "phase", "duration_ms", "commis_id", "model", "prompt_tokens", "completion_tokens",
        "total_tokens", "success", "error", "cost_usd", "trace_id", "span_id",
    )  # fmt: skip
    _title: ClassVar[str] = "model"

    phase: str | None = None
    model: str | None = None
    start_us: int
    end_us: int
    prompt_tokens: int | None = column(default=None, total=True)
    completion_tokens: int | None = column(default=None, total=True)
    total_tokens: int | None = column(default=None, total=True)
    cached_tokens: int | None = column(default=None, total=True)
    reasoning_tokens: int | None = column(default=None, total=True)
    ttft_ms: int | None = None
    cost_usd: float | None = column(default=None, total=True)
    requested_model: str | None = None
    cache_hit: bool | None = None
    finish_reason: str | None = None
    success: bool = True
    error: str | None = None
    node: str | None = None
    attempt: int | None = None
    commis_id: str | None = None
    concierge_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    provider: str | None = None
    cache_write_tokens: int | None = column(default=None, total=True)
    cache_write_1h_tokens: int | None = None
    audio_prompt_tokens: int | None = None
    audio_completion_tokens: int | None = None
    unpriced: str | None = None
    commis_name: str | None = None
    agent: str | None = None
    ns: str | None = None


@record
class ToolCallRecord(CallRecord):
    """One finished call of a tool.

    Args:
        tool: The tool's name.
        tool_call_id: The id that the model gave the call.
        output_file: Where its full output lies, relative to the commis's directory.
        output_bytes: How many bytes that file has.
        args_bytes: How many bytes its arguments have as JSON text.
    """

    event: ClassVar[str] = "tool_call"
    logged_as: ClassVar[str] = "tool_call_complete"
    logged: ClassVar[tuple[str, ...]] = (
        "tool", "duration_ms", "success", "commis_id", "error", "trace_id", "span_id",
    )  # fmt: skip
    _title: ClassVar[str] = "tool"

    tool: str = "tool"
    start_us: int
    end_us: int
    success: bool = True
    error: str | None = None
    tool_call_id: str | None = None
    output_file: str | None = None
    output_bytes: int | None = None
    node: str | None = None
    attempt: int | None = None
    commis_id: str | None = None
    concierge_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    args_bytes: int | None = None
    commis_name: str | None = None
    agent: str | None = None
    ns: str | None = None
