"""What a model's answer says of itself, and what the chunks of a stream told before it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from zerg_visibility.callbacks.usage import (
    Answer,
    SeenUsage,
    read_answer,
    see_usage,
    with_usage,
)


def counts(prompt: int, completion: int) -> dict[str, int]:
    return {
        "input_tokens": prompt,
        "output_tokens": completion,
        "total_tokens": prompt + completion,
    }


def usage(prompt: int, completion: int, total: int, **more: int) -> dict[str, int]:
    known = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return known | more


def told(*chunks: dict[str, int]) -> SeenUsage | None:
    seen = None
    for usage in chunks:
        seen = see_usage(seen, usage)
    return seen


@pytest.mark.parametrize(
    ("chunks", "tokens"),
    [
        ([counts(12, 7)], (12, 7, 19)),
        # Anthropic: the prompt at first, what is new later.
        ([counts(12, 1), counts(0, 6)], (12, 7, 19)),
        ([counts(12, 0), counts(0, 3), counts(0, 3)], (12, 6, 18)),
        # All so far with each chunk, or the same twice.
        ([counts(12, 7), counts(12, 7)], (12, 7, 19)),
        ([counts(12, 1), counts(12, 4), counts(12, 7)], (12, 7, 19)),
        ([counts(12, 7), counts(12, 7), counts(12, 7)], (12, 7, 19)),
    ],
)
def test_usage_of_chunks_is_added_up_unless_it_is_told_again(chunks, tokens):
    assert with_usage(Answer(), told(*chunks)).usage == usage(*tokens)


def test_the_message_is_believed_unless_its_chunks_repeated_themselves():
    """langchain-core adds up what chunks tell."""
    message = Answer(usage=usage(24, 14, 38))
    assert with_usage(message, None) is message
    assert with_usage(message, told(counts(12, 7))) is message
    assert with_usage(message, told(counts(12, 7), counts(12, 7))).usage == usage(12, 7, 19)
    cached = Answer(cache_hit=True)
    assert with_usage(cached, told(counts(12, 7), counts(12, 7))) is cached


def answer(info: Any = None, **metadata: Any) -> LLMResult:
    message = AIMessage("42", response_metadata=metadata)
    return LLMResult(generations=[[ChatGeneration(message=message, generation_info=info)]])


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (answer(finish_reason="length"), "length"),
        (answer(stop_reason="max_tokens"), "max_tokens"),
        (answer(done_reason="stop"), "stop"),
        (answer({"finish_reason": "stop"}), "stop"),
        (answer(finish_reason=None), None),
        (answer(finish_reason=7), None),
        (answer(finish_reason=""), None),
        (answer(), None),
        (answer(finish_reason="stopstop"), "stop"),
        (
            LLMResult(
                generations=[[Generation(text="42", generation_info={"finish_reason": "length"})]]
            ),
            "length",
        ),
        (LLMResult(generations=[[Generation(text="42")]]), None),
        (LLMResult(generations=[]), None),
        (None, None),
    ],
)
def test_why_an_answer_ends(result, reason):
    assert read_answer(result).finish_reason == reason


def test_a_model_is_named_once_where_a_stream_ended_twice():
    assert read_answer(answer(finish_reason="stopstop", model_name="g-5g-5")).served_model == "g-5"
    assert read_answer(answer(finish_reason="stop", model_name="yiyi")).served_model == "yiyi"


def test_a_reason_of_any_length_is_bounded_in_the_record(handler, memory_sink):
    class Rambling(FakeListLLM):
        def _generate(self, *args: Any, **kwargs: Any) -> LLMResult:
            info = {"finish_reason": "no\nreason " * 1000}
            return LLMResult(generations=[[Generation(text="42", generation_info=info)]])

    Rambling(responses=["42"]).invoke("Ask", {"callbacks": [handler]})
    (record,) = memory_sink.records
    assert record.finish_reason.startswith("no reason no")
    assert len(record.finish_reason) <= 200


TELLS = {
    # As langchain-openai, langchain-anthropic and langchain-google-genai make it of an answer.
    "openai": (
        {"audio": 30, "cache_read": 800}, {"audio": 7, "reasoning": 64},
        {"cached_tokens": 800, "reasoning_tokens": 64, "audio_prompt_tokens": 30,
         "audio_completion_tokens": 7},
    ),
    "openai, of no detail": ({}, {}, {}),
    "openai, service tier flex": (
        {"flex_cache_read": 800, "flex": 200}, {"flex_reasoning": 64, "flex": 56},
        {"cached_tokens": 800, "reasoning_tokens": 64},
    ),
    "openai, service tier priority, with cache writes": (
        {"priority_cache_read": 800, "priority_cache_creation": 100, "priority": 200},
        {"priority": 120},
        {"cached_tokens": 800, "cache_write_tokens": 100},
    ),
    "anthropic": (
        {"cache_read": 800, "cache_creation": 100}, {},
        {"cached_tokens": 800, "cache_write_tokens": 100},
    ),
    "anthropic, writes for five minutes and an hour": (
        {"cache_read": 800, "cache_creation": 0, "ephemeral_5m_input_tokens": 60,
         "ephemeral_1h_input_tokens": 40}, {},
        {"cached_tokens": 800, "cache_write_tokens": 100, "cache_write_1h_tokens": 40},
    ),
    "one that tells of five minutes alone": (
        {"cache_creation": 0, "ephemeral_5m_input_tokens": 60}, {}, {"cache_write_tokens": 60},
    ),
    "one that gives both the sum and its parts": (
        {"cache_creation": 100, "ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
        {}, {"cache_write_tokens": 100, "cache_write_1h_tokens": 40},
    ),
    "google": ({"cache_read": 0}, {"reasoning": 64}, {"cached_tokens": 0, "reasoning_tokens": 64}),
    "a server that tells nonsense": (
        {"cache_read": "many", "audio": -1, "cache_creation": True}, ["none"], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("into", "out", "known"), TELLS.values(), ids=TELLS.keys())
def test_usage_is_read_as_each_provider_tells_it(into, out, known):
    counted = {
        "input_tokens": 1000,
        "output_tokens": 120,
        "total_tokens": 1120,
        "input_token_details": into,
        "output_token_details": out,
    }
    message = AIMessage("")
    message.usage_metadata = counted
    result = LLMResult(generations=[[ChatGeneration(message=message)]])
    assert read_answer(result).usage == usage(1000, 120, 1120, **known)


def test_usage_without_a_message_is_read_as_openai_writes_it():
    told = {
        "prompt_tokens": 1000,
        "completion_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 7},
    }
    result = LLMResult(generations=[[Generation(text="")]], llm_output={"token_usage": told})
    assert read_answer(result).usage == usage(
        1000, 120, 1120, cached_tokens=800, reasoning_tokens=64, audio_prompt_tokens=30,
        audio_completion_tokens=7,
    )  # fmt: skip
