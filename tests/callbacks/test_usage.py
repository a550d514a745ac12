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
    Usage,
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
    usage = with_usage(Answer(), told(*chunks)).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == tokens


def test_the_message_is_believed_unless_its_chunks_repeated_themselves():
    """langchain-core adds up what chunks tell."""
    message = Answer(usage=Usage(24, 14, 38))
    assert with_usage(message, None) is message
    assert with_usage(message, told(counts(12, 7))) is message
    assert with_usage(message, told(counts(12, 7), counts(12, 7))).usage == Usage(12, 7, 19)
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
