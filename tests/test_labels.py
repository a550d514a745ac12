"""Labels: short texts that a user gives to a run, from arguments and from a config's metadata."""

from __future__ import annotations

import logging

import pytest

from tests.scenarios.found import lines
from tests.scripted import plain_commis, says, scripted
from zerg_visibility import (
    ConfigurationError,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    visibility,
)
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.labels import LABELS_MAX, checked_labels, labels_of_run, merged_labels

ASK = {"messages": [("user", "Calculate 7*6")]}
TOO_MANY = {f"k{n}": "v" for n in range(LABELS_MAX + 1)}
REJECTED = [
    {"variant": 1},
    {1: "b"},
    {"variant": ""},
    {"": "b"},
    {"variant": "two\nlines"},
    {"variant": "hidden\u202etext"},
    {"variant": "lone \ud800"},
    {"k" * 51: "b"},
    {"variant": "v" * 201},
]


def agent():
    model = scripted(says("42"), repeat=True)
    return plain_commis(lambda state: {"messages": [model.invoke(state["messages"])]})


def labels_of(store) -> list[dict[str, str] | None]:
    return [line.get("labels") for line in lines(store.root) if line["event"] == "concierge_run"]


@pytest.mark.parametrize("labels", [*REJECTED, TOO_MANY, ["variant"], "variant"], ids=repr)
def test_arguments_that_cannot_be_labels_are_refused_with_what_to_do(labels):
    with pytest.raises(ConfigurationError, match=r"give at most 20 texts by name, such as \{"):
        VisibilityCallbackHandler(labels=labels)


def test_the_longest_and_the_most_labels_are_taken():
    most = {f"{n:050}": "v" * 200 for n in range(LABELS_MAX)}
    assert checked_labels(most) == most
    assert checked_labels(None) == checked_labels({}) == {}


@pytest.mark.parametrize("given", [*REJECTED, ["variant"], "variant", 7], ids=repr)
def test_in_metadata_what_cannot_be_a_label_is_left_out_and_counted(given):
    diagnostics = Diagnostics(logging.getLogger("zerg_visibility.labels"))
    mixed = {**given, "good": "one"} if isinstance(given, dict) else given
    found = labels_of_run({"zerg_labels": mixed}, str, diagnostics)
    assert found == ({"good": "one"} if isinstance(given, dict) else {})
    assert diagnostics.failures == 1


class Incomparable:
    """As an array of a numerical library: whether it equals something has no single answer."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None


@pytest.mark.parametrize(
    "odd", [Incomparable(), {"variant": Incomparable()}], ids=["alone", "by name"]
)
def test_labels_that_raise_cost_the_run_nothing_else(odd, store, memory_sink):
    handler = VisibilityCallbackHandler(store, sinks=[memory_sink])
    agent().invoke(ASK, {"callbacks": [handler], "metadata": {"zerg_labels": odd}})
    assert [record.event for record in memory_sink.records] == ["llm_call", "concierge_run"]
    assert handler.stats.dropped_records == 0
    assert handler.stats.failures == 1
    assert labels_of(store) == [None]


def test_of_too_many_in_metadata_the_first_are_taken():
    diagnostics = Diagnostics(logging.getLogger("zerg_visibility.labels"))
    found = labels_of_run({"zerg_labels": TOO_MANY}, str, diagnostics)
    assert list(found) == list(TOO_MANY)[:LABELS_MAX]
    assert diagnostics.failures == 1


def test_the_nearer_label_counts_and_together_they_are_bounded():
    assert merged_labels({"a": "near"}, {"a": "far", "b": "far"}) == {"a": "near", "b": "far"}
    assert list(merged_labels({"near": "1"}, TOO_MANY)) == ["near", *list(TOO_MANY)[:19]]


def test_labels_of_a_run_are_in_its_record_and_count_for_more_than_the_handlers(store, memory_sink):
    handler = VisibilityCallbackHandler(
        store, sinks=[memory_sink], labels={"variant": "a", "team": "red"}, raise_error=True
    )
    graph = agent()
    graph.invoke(ASK, {"callbacks": [handler]})
    graph.invoke(ASK, {"callbacks": [handler], "metadata": {"zerg_labels": {"variant": "b"}}})
    expected = [{"variant": "a", "team": "red"}, {"variant": "b", "team": "red"}]
    assert sorted(labels_of(store), key=str) == sorted(expected, key=str)
    runs = [record for record in memory_sink.records if record.event == "concierge_run"]
    assert [record.labels for record in runs] == expected


def test_a_run_without_labels_has_no_field_for_them(store, handler):
    agent().invoke(ASK, {"callbacks": [handler]})
    assert labels_of(store) == [None]


def test_a_block_can_have_labels_of_its_own(store):
    with visibility(store, labels={"variant": "b"}):
        agent().invoke(ASK)
    assert labels_of(store) == [{"variant": "b"}]


def test_a_handler_that_is_given_to_a_block_has_its_own_labels(store, handler):
    with (
        pytest.raises(ConfigurationError, match="labels must be None where a handler is given"),
        visibility(handler, labels={"variant": "b"}),
    ):
        pass


def test_labels_are_redacted(store):
    def redact(text: str) -> str:
        return text.replace("secret", "[redacted]")

    sink = MemorySink()
    handler = VisibilityCallbackHandler(
        store, sinks=[sink], labels={"of": "secret 1"}, redact=redact, raise_error=True
    )
    config = {"callbacks": [handler], "metadata": {"zerg_labels": {"secret": "a secret"}}}
    agent().invoke(ASK, config)
    assert labels_of(store) == [{"[redacted]": "a [redacted]", "of": "[redacted] 1"}]


def test_what_comes_with_a_run_is_redacted_as_the_commis_in_it_wants_it(store):
    def redact(text: str) -> str:
        return text.replace("secret", "[redacted]")

    node = create_commis_node(agent(), store=store, redact=redact)
    config = {
        "metadata": {"zerg_labels": {"of": "a secret"}},
        "configurable": {"thread_id": "secret-7"},
    }
    node.invoke(ASK, config)
    metadata = store.metadata(1)
    assert metadata.labels == {"of": "a [redacted]"}
    assert metadata.thread_id == "[redacted]-7"
