"""States and answers of all shapes: stored as far as they can be, in no more time than that takes.

Where something would never end, the limit is generous, for a machine that is busy.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import UserDict
from functools import partial
from typing import Any, TypedDict

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from tests.scripted import plain_commis, run, says
from zerg_visibility import create_commis_node
from zerg_visibility.records.codec import json_line

SOON_S = 60.0


class Score(float):
    """Like the numbers of numerical libraries."""


class Untold:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@dataclasses.dataclass
class Pair:
    one: Any
    other: Any


class Dumped:
    """Looks like a pydantic model."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def model_dump(self) -> Any:
        return self.content


ENDLESS, SHORT = 60, 3
"""So often doubled, a value never ends when it is written out, and soon."""


def doubled(pair: Any, depth: int) -> Any:
    """Give a value that holds one twice that holds one twice, and so on."""
    value: Any = 1
    for _ in range(depth):
        value = pair(value, value)
    return value


def acquainted(count: int = 30) -> list[dict[str, Any]]:
    """People who all know each other."""
    people: list[dict[str, Any]] = [{"name": f"person {n}"} for n in range(count)]
    for one in people:
        one["knows"] = [other for other in people if other is not one]
    return people


def family() -> dict[str, Any]:
    root: dict[str, Any] = {"name": "root", "children": []}
    root["children"] += [{"name": str(n), "parent": root} for n in range(6)]
    return root


def in_itself() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


DOUBLED = {
    "lists": lambda one, other: [one, other],
    "tuples": lambda one, other: (one, other),
    "dicts": lambda one, other: {"one": one, "other": other},
    "mappings": lambda one, other: UserDict(one=one, other=other),
    "dataclasses": Pair,
    "models": lambda one, other: Dumped([one, other]),
    "sets among them": lambda one, other: [{1}, one, other],
}
FULL_OF_ITSELF = {"a graph": acquainted, "a family": family, "in itself": in_itself}


def text_of(value: Any) -> Any:
    return json.loads(json_line({"": value}))[""]


@pytest.mark.parametrize("kind", [*DOUBLED, *FULL_OF_ITSELF])
def test_what_would_never_end_is_cut(kind):
    value = doubled(DOUBLED[kind], ENDLESS) if kind in DOUBLED else FULL_OF_ITSELF[kind]()
    began = time.monotonic()
    line = json_line({"": value})
    assert time.monotonic() - began < SOON_S
    assert len(line) < 30_000_000
    assert json.loads(line)[""]


def test_a_value_inside_of_itself_is_marked():
    assert text_of(in_itself()) == [1, "<cycle>"]
    assert text_of(family())["children"][5] == {"name": "5", "parent": "<cycle>"}


def test_what_stands_in_two_places_is_no_cycle():
    shared = {"a": {1}}
    assert text_of([shared, shared]) == [{"a": [1]}, {"a": [1]}]


def test_what_lies_too_deep_is_cut_and_says_so():
    value: Any = {"bottom"}
    for _ in range(5_000):
        value = [value]
    assert b'"..."' in json_line({"": value})


def test_what_is_plain_json_is_never_cut():
    shared = {"unit": "ms", "of": ["a", "b"]}
    rows = [{"number": n, "about": shared} for n in range(100_000)]
    written = text_of(rows)
    assert (len(written), written[-1]) == (len(rows), rows[-1])


def test_much_that_is_no_plain_json_is_cut_and_says_so():
    began = time.monotonic()
    written = text_of([Score(n) for n in range(1_000_000)])
    assert time.monotonic() - began < SOON_S
    assert written[:2] == [0.0, 1.0]
    assert 100_000 < len(written) < 1_000_000
    assert written[-1] == "..."


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Score(0.5), 0.5),
        ({"score": Score(0.5)}, {"score": 0.5}),
        (Untold(), "<Untold>"),
        ({Untold(): 1, "b": 2}, {"<Untold>": 1, "b": 2}),
        (10**30, "1" + 30 * "0"),
        (10**5_000, hex(10**5_000)),
        ({10**5_000: 1}, {hex(10**5_000): 1}),
        ({"at": {Pair(1, {2}).one: Pair(1, {2})}}, {"at": {"1": {"one": 1, "other": [2]}}}),
        ([Dumped({"a": {1}}), Dumped(Untold())], [{"a": [1]}, "<Untold>"]),
        ({1, "\ud800"}, [1, "?"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_odd_values_cost_no_more_than_themselves(value, written):
    found = text_of(value)
    assert (
        sorted(map(str, found)) == sorted(map(str, written))
        if isinstance(value, set)
        else (found == written)
    )


class Anything(TypedDict):
    given: Any
    found: Any


# What has no end is one kind here: all are written in the same way, as the tests above show.
ODD = {
    **{kind: partial(doubled, pair, SHORT) for kind, pair in DOUBLED.items()},
    **FULL_OF_ITSELF,
    "without end": lambda: doubled(Pair, ENDLESS),
    "a score": lambda: {"score": Score(0.5)},
    "a number of 5,000 digits": lambda: 10**5_000,
    "no text": lambda: [Untold()],
    "a key without text": lambda: {Untold(): 1},
}


@pytest.mark.parametrize("kind", ODD)
def test_a_state_may_hold_it(kind, store, handler):
    value = ODD[kind]()
    builder = StateGraph(Anything).add_node("step", lambda state: {"found": value})
    graph = create_commis_node(builder.add_edge(START, "step").compile(), store=store)
    began = time.monotonic()
    state = graph.invoke({"given": value}, {"callbacks": [handler]})
    assert time.monotonic() - began < SOON_S
    assert state["found"] is value
    assert handler.stats.failures == 0
    [commis] = store.recent()
    assert commis.task
    assert store.result(commis.commis_id)


@pytest.mark.parametrize("kind", ODD)
def test_a_tool_may_answer_it(kind, store, handler, memory_sink):
    value = ODD[kind]()

    @tool
    def find() -> Any:
        """Find something."""
        return value

    def step(_: Any) -> Any:
        assert find.invoke({}) is value
        return {"messages": [says("done")]}

    began = time.monotonic()
    run(create_commis_node(plain_commis(step), store=store), "Find it", handler)
    assert time.monotonic() - began < SOON_S
    assert handler.stats.failures == 0
    record, _ = memory_sink.records
    assert record.success
    assert record.output_bytes
    assert (store.folder(record.commis_id) / record.output_file).is_file()


BAD_BLOCK = [{"type": "text"}]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ToolMessage(BAD_BLOCK, tool_call_id="1", status="error"), '[{"type":"text"}]'),
        ([ToolMessage("no", tool_call_id="1", status="error")], "no"),
        (Command(update={"messages": [ToolMessage("no", tool_call_id="1", status="error")]}), "no"),
        (
            Command(update=[("messages", [ToolMessage("no", tool_call_id="1", status="error")])]),
            "no",
        ),
    ],
    ids=["no text in a block", "list", "command", "pairs"],
)
def test_an_answer_that_says_it_failed(answer, error, store, handler, memory_sink):
    @tool
    def find() -> Any:
        """Find something."""
        return answer

    def step(_: Any) -> Any:
        find.invoke({})
        return {"messages": [says("done")]}

    run(create_commis_node(plain_commis(step), store=store), "Find it", handler)
    record, _ = memory_sink.records
    assert (record.success, record.error, record.tool_call_id) == (False, error, "1")
