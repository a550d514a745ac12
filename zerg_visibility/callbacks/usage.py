"""What a model's answer says of itself: the served model, token counts, whether it asks for tools.

Pure functions over langchain-core's LLMResult.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import Generation, LLMResult


class Usage(NamedTuple):
    """Token counts as the provider gave them; None where it gave none."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


NO_USAGE = Usage()


class Answer(NamedTuple):
    """What is known of one answer.

    Args:
        served_model: The model that answered, where it says so.
        usage: Its token counts.
        cache_hit: Whether LangChain's cache answered; the provider was not called then, and the
            usage that langchain-core repeats from the first call was not spent again.
        tool_names: The tools that the model asks for, invalid calls among them.
    """

    served_model: str | None = None
    usage: Usage = NO_USAGE
    cache_hit: bool = False
    tool_names: tuple[str, ...] = ()


def read_answer(response: Any) -> Answer:
    """Read a model's answer.

    Args:
        response: An LLMResult, possibly of a call that failed half-way; anything else gives an
            empty answer.
    """
    if not isinstance(response, LLMResult):
        return Answer()
    llm_output = response.llm_output or {}
    # With n=2 both candidates lie in generations[0], each repeating the usage of the whole call.
    groups = response.generations
    first = groups[0][0] if groups and groups[0] else None
    message = getattr(first, "message", None)
    # The first is what comes nearly always, and an exact match costs nothing.
    if not isinstance(message, (AIMessage, BaseMessage)):
        return Answer(
            served_model=_text(llm_output.get("model_name")) or _info(first, "model_name"),
            usage=_from_llm_output(llm_output),
        )
    details = message.response_metadata
    found = getattr(message, "usage_metadata", None) or {}
    # langchain-core marks an answer from its cache so; langchain_core/language_models/chat_models.
    cache_hit = found.get("total_cost") == 0 and not llm_output
    usage = _from_metadata(found) if found else _from_llm_output(llm_output)
    return Answer(
        served_model=(
            _text(details.get("model_name"))
            or _text(details.get("model"))
            or _text(llm_output.get("model_name"))
        ),
        usage=NO_USAGE if cache_hit else usage,
        cache_hit=cache_hit,
        tool_names=_tool_names(message),
    )


def with_usage(answer: Answer, seen: Any) -> Answer:
    """Add the usage that a stream's chunks told, if the answer itself tells none."""
    if not seen or answer.usage != NO_USAGE or answer.cache_hit:
        return answer
    return answer._replace(usage=_from_metadata(seen))


def _from_metadata(found: Mapping[str, Any]) -> Usage:
    return _usage(
        found.get("input_tokens"),
        found.get("output_tokens"),
        found.get("total_tokens"),
        (found.get("input_token_details") or {}).get("cache_read"),
        (found.get("output_token_details") or {}).get("reasoning"),
    )


def _from_llm_output(llm_output: Mapping[str, Any]) -> Usage:
    found = llm_output.get("token_usage") or llm_output.get("usage")
    if not isinstance(found, Mapping):
        return NO_USAGE
    return _usage(
        found.get("prompt_tokens", found.get("input_tokens")),
        found.get("completion_tokens", found.get("output_tokens")),
        found.get("total_tokens"),
        _detail(found.get("prompt_tokens_details"), "cached_tokens"),
        _detail(found.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _usage(prompt: Any, completion: Any, total: Any, cached: Any, reasoning: Any) -> Usage:
    prompt, completion, total = _count(prompt), _count(completion), _count(total)
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=_count(cached),
        reasoning_tokens=_count(reasoning),
    )


def _detail(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, Mapping) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _info(first: Generation | None, name: str) -> str | None:
    return _text((getattr(first, "generation_info", None) or {}).get(name))


def _tool_names(message: BaseMessage) -> tuple[str, ...]:
    if not isinstance(message, AIMessage) or not (message.tool_calls or message.invalid_tool_calls):
        return ()
    asked = [*message.tool_calls, *message.invalid_tool_calls]
    return tuple([str(call.get("name")) for call in asked])
