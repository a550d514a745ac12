"""What model servers and callers send that is no count, no id and no tag: unknown, nothing lost."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.scripted import plain_commis, run, says, scripted
from zerg_visibility import create_commis_node
from zerg_visibility.callbacks.outcomes import read_outcome
from zerg_visibility.callbacks.starts import known_id


class Served(BaseChatModel):
    """A model that gives a message just as a careless integration might."""

    message: Any
    output: Any = None

    @property
    def _llm_type(self) -> str:
        return "served"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        generation = ChatGeneration(message=self.message.model_copy())
        return ChatResult(generations=[generation], llm_output=self.output)


def odd(**fields: Any) -> AIMessage:
    """An answer whose fields nobody checked."""
    message = AIMessage("an answer")
    for name, value in fields.items():
        object.__setattr__(message, name, value)
    return message


def usage(prompt: Any, completion: Any = 1, **more: Any) -> dict[str, Any]:
    return {"input_tokens": prompt, "output_tokens": completion, **more}


class Counts:
    input_tokens = 3


NOTHING = (None, None, None)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (usage(3, total_tokens=4), (3, 1, 4)),
        (usage(10**12, 0), (10**12, 0, 10**12)),
        (usage(10**12 + 1), (None, 1, None)),
        (usage(2**64, total_tokens=2**64 + 1), (None, 1, None)),
        (usage(10**5_000), (None, 1, None)),
        (usage(-1), (None, 1, None)),
        (usage(True, False), NOTHING),
        (usage("3", 1.5), NOTHING),
        (usage(float("nan"), None), NOTHING),
        (usage(3, total_tokens=4, input_token_details=[1], output_token_details=7), (3, 1, 4)),
        (Counts(), NOTHING),
        ([3, 1, 4], NOTHING),
        (7, NOTHING),
    ],
    ids=lambda value: repr(value)[:30] if not isinstance(value, dict) else None,
)
def test_a_count_that_is_none_is_unknown(found, counts, store, handler, memory_sink):
    model = Served(message=odd(usage_metadata=found))
    graph = plain_commis(lambda state: {"messages": [model.invoke(state["messages"])]})
    run(create_commis_node(graph, store=store), "Count", handler)
    record, _ = memory_sink.records
    assert (record.prompt_tokens, record.completion_tokens, record.total_tokens) == counts
    [commis] = store.recent()
    assert commis.totals.prompt_tokens == counts[0] or counts[0] is None
    assert [one.span_id for one in store.records(commis.commis_id).items] == [record.span_id]


@pytest.mark.parametrize(
    ("message", "output"),
    [
        (odd(tool_calls=["multiply", {"name": 7}]), None),
        (odd(invalid_tool_calls=[None]), None),
        (odd(), {"token_usage": 3, "usage": [1]}),
        (odd(), {"token_usage": {"prompt_tokens": 3, "prompt_tokens_details": 5}}),
        (odd(), {"token_usage": {"prompt_tokens": 10**5_000}, "model_name": 7}),
    ],
    ids=["calls", "invalid calls", "usage", "details", "number"],
)
def test_an_answer_of_odd_shape_is_a_record(message, output, store, handler, memory_sink):
    model = Served(message=message, output=output)

    def step(state: Any) -> Any:
        model.invoke(state["messages"])
        return {"messages": [says("done")]}

    run(create_commis_node(plain_commis(step), store=store), "Answer", handler)
    record, _ = memory_sink.records
    assert (record.event, record.success) == ("llm_call", True)


@pytest.mark.parametrize(
    "tags", [[123], [None, "phase:odd"], ["retry:attempt:" + "9" * 5_000], ["retry:attempt:x"]]
)
def test_an_odd_tag_costs_no_record(tags, store, handler, memory_sink):
    model = scripted("an answer")

    def step(state: Any) -> Any:
        return {"messages": [model.invoke(state["messages"], {"tags": tags})]}

    run(create_commis_node(plain_commis(step), store=store), "Answer", handler)
    record, _ = memory_sink.records
    assert (record.attempt, record.phase) == (1, "odd" if "phase:odd" in tags else "initial")


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("call_1", "call_1"),
        ("x" * 200, "x" * 200),
        ("x" * 201, None),
        ("x" * 11_000_000, None),
        ("", None),
        (5, None),
        (None, None),
        ("a\nb", None),
        ("a\u202eb", None),
        ("a\ud800", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_id_is_a_short_text_on_one_line(given, known):
    assert known_id(given) == known
    if isinstance(given, str):
        for status in ("success", "error"):
            answer = ToolMessage("x", tool_call_id=given, status=status)
            assert read_outcome(answer).tool_call_id == known


def test_a_list_that_holds_itself_says_nothing_of_itself():
    answer: list[Any] = [ToolMessage("x", tool_call_id="1")]
    answer.append(answer)
    assert read_outcome(answer).tool_call_id == "1"
