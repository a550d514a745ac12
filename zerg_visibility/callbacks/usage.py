"""What a model's answer says of itself: who served it, token counts, why it ends, tools asked for.

Pure functions over langchain-core's LLMResult.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import add_usage
from langchain_core.outputs import Generation, LLMResult

Usage: TypeAlias = Mapping[str, Any]
"""Token counts as the provider gave them, by the names that they have on a record.

They are counted inclusively, as LangChain and most providers do: what was read from a cache or
written to it, and audio, are prompt tokens too, and reasoning is among the completion tokens.
"""

_NOTHING: Mapping[str, Any] = {}

TOKENS_MAX = 10**12
"""A count beyond it is a mistake of the server's, and would spoil every sum that it enters."""

_TIERS = ("priority", "flex")
"""Of OpenAI's service, which have other prices."""

_FINISH_REASONS = ("finish_reason", "stop_reason", "stopReason", "done_reason")
"""What OpenAI, Anthropic, Bedrock and Ollama call it."""


class SeenUsage(NamedTuple):
    """Usage that the chunks of a stream told so far, as langchain-core's UsageMetadata."""

    counts: Any
    told_again: bool = False
    """Whether a chunk repeated what an earlier one told: then the sum in the message is wrong."""


class Answer(NamedTuple):
    """What is known of one answer, as far as the provider says so."""

    served_model: str | None = None
    usage: Usage = _NOTHING
    cache_hit: bool = False
    """Whether LangChain's cache answered: the usage that it repeats was not spent again."""
    tool_names: tuple[str, ...] = ()
    """The tools that the model asks for, invalid calls among them."""
    finish_reason: str | None = None
    """In the provider's word; a stream that was broken off has none."""


def read_answer(response: Any) -> Answer:
    """Read an LLMResult, possibly of a call that failed half-way; else the answer is empty."""
    if not isinstance(response, LLMResult):
        return Answer()
    llm_output = _mapping(response.llm_output)
    # With n=2 both candidates lie in generations[0], each repeating the usage of the whole call.
    groups = response.generations
    first = groups[0][0] if groups and groups[0] else None
    message = getattr(first, "message", None)
    # The first is what comes nearly always, and an exact match costs nothing.
    if not isinstance(message, (AIMessage, BaseMessage)):
        return Answer(
            served_model=_text(llm_output.get("model_name")) or _info(first, "model_name"),
            usage=_from_llm_output(llm_output),
            finish_reason=_info(first, "finish_reason"),
        )
    details = _mapping(message.response_metadata)
    found = _mapping(getattr(message, "usage_metadata", None))
    # langchain-core marks an answer from its cache so; langchain_core/language_models/chat_models.
    cache_hit = not llm_output and found.get("total_cost") == 0
    usage = _from_metadata(found) if found else _from_llm_output(llm_output)
    served = _text(details.get("model_name")) or _text(details.get("model"))
    served = served or _text(llm_output.get("model_name"))
    finish = _finish_reason(details) or _info(first, "finish_reason")
    if finish is not None and (once := _halved(finish)) is not None:
        # A server ended its stream twice, and langchain-core has put the texts of both together.
        finish, served = once, served and (_halved(served) or served)
    return Answer(served, _NOTHING if cache_hit else usage, cache_hit, _tool_names(message), finish)


def see_usage(seen: SeenUsage | None, usage: Any) -> SeenUsage:
    """Take in the usage that one more chunk tells.

    Chunks should tell what is new, to be added up. Some servers tell all so far with each of them,
    or the same at the end twice; the tokens of the prompt, which cannot be new again, give it away.
    """
    if seen is None:
        return SeenUsage(_mapping(usage))
    prompt = _mapping(usage).get("input_tokens")
    if prompt and prompt == seen.counts.get("input_tokens"):
        return SeenUsage(usage, told_again=True)
    return SeenUsage(add_usage(seen.counts, usage), seen.told_again)


def with_usage(answer: Answer, seen: SeenUsage | None) -> Answer:
    """Add the usage that a stream's chunks told, if the answer tells none or a wrong one."""
    if seen is None or answer.cache_hit or (answer.usage and not seen.told_again):
        return answer
    return answer._replace(usage=_from_metadata(_mapping(seen.counts)))


def _from_metadata(found: Mapping[str, Any]) -> Usage:
    into = _without_tier(_mapping(found.get("input_token_details")))
    out = _without_tier(_mapping(found.get("output_token_details")))
    hour, written = into.get("ephemeral_1h_input_tokens"), into.get("cache_creation")
    if hour is not None or "ephemeral_5m_input_tokens" in into:
        # Where they are told apart, langchain-anthropic says 0 for all of them.
        kinds = _counts(short=into.get("ephemeral_5m_input_tokens"), hour=hour)
        written = max(_counts(all=written).get("all", 0), sum(kinds.values()))
    return _counts(
        prompt_tokens=found.get("input_tokens"),
        completion_tokens=found.get("output_tokens"),
        total_tokens=found.get("total_tokens"),
        cached_tokens=into.get("cache_read"),
        reasoning_tokens=out.get("reasoning"),
        cache_write_tokens=written,
        cache_write_1h_tokens=hour,
        audio_prompt_tokens=into.get("audio"),
        audio_completion_tokens=out.get("audio"),
    )


def _without_tier(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give details by their plain names: langchain-openai writes `flex_cache_read` and the like."""
    for tier in _TIERS:
        if tier in details:
            return {name.removeprefix(f"{tier}_"): value for name, value in details.items()}
    return details


def _from_llm_output(llm_output: Mapping[str, Any]) -> Usage:
    found = _mapping(llm_output.get("token_usage")) or _mapping(llm_output.get("usage"))
    into = _mapping(found.get("prompt_tokens_details"))
    out = _mapping(found.get("completion_tokens_details"))
    return _counts(
        prompt_tokens=found.get("prompt_tokens", found.get("input_tokens")),
        completion_tokens=found.get("completion_tokens", found.get("output_tokens")),
        total_tokens=found.get("total_tokens"),
        cached_tokens=into.get("cached_tokens"),
        reasoning_tokens=out.get("reasoning_tokens"),
        audio_prompt_tokens=into.get("audio_tokens"),
        audio_completion_tokens=out.get("audio_tokens"),
    )


def _counts(**told: Any) -> Usage:
    """Keep what is a count: a server may tell anything."""
    # Not isinstance: True is an int as well.
    known = {k: n for k, n in told.items() if type(n) is int and 0 <= n <= TOKENS_MAX}
    if "total_tokens" not in known and "prompt_tokens" in known and "completion_tokens" in known:
        known["total_tokens"] = known["prompt_tokens"] + known["completion_tokens"]
    return known


def _mapping(found: Any) -> Mapping[str, Any]:
    """Take what should be a mapping as one; anything else tells nothing."""
    # These come nearly always, and cost less than asking whether it is any mapping.
    if found is None or type(found) is dict:
        return found or _NOTHING
    return found if isinstance(found, Mapping) else _NOTHING


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _finish_reason(details: Mapping[str, Any]) -> str | None:
    for name in _FINISH_REASONS:
        if (found := details.get(name)) is not None:
            return _text(found)
    return None


def _halved(text: str) -> str | None:
    """Give half of a text that is the same twice; None if it is not."""
    half = text[: len(text) // 2]
    return half if half + half == text else None


def _info(first: Generation | None, name: str) -> str | None:
    return _text(_mapping(getattr(first, "generation_info", None)).get(name))


def _tool_names(message: BaseMessage) -> tuple[str, ...]:
    if not isinstance(message, AIMessage):
        return ()
    asked: Sequence[Any] = message.tool_calls
    if message.invalid_tool_calls:
        asked = [*asked, *message.invalid_tool_calls]
    return tuple([str(_mapping(call).get("name")) for call in asked]) if asked else ()
