"""How what is around a commis tells of it: lines in started.jsonl, traces, labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import calculator
from zerg_visibility import ConfigurationError, create_commis_node, create_commis_tool

ASK = {"messages": [("user", "Calculate 7*6")]}


def outer(*nodes: Any) -> Any:
    builder = StateGraph(MessagesState)
    for number, node in enumerate(nodes):
        builder.add_node(f"inner{number}", node).add_edge(START, f"inner{number}")
    return builder.compile()


def starts(folder: Any) -> list[dict[str, Any]]:
    lines = map(orjson.loads, (folder / "started.jsonl").read_bytes().splitlines())
    return [line for line in lines if line["event"] == "commis_run"]


def concierge_folder(store: Any) -> Any:
    [folder] = (store.root / "concierge").iterdir()
    return folder


def test_a_commis_that_starts_is_told_by_the_concierge_and_by_the_commis_around_it(store, handler):
    inner = create_commis_node(calculator(), store=store, name="calc")
    around = create_commis_node(outer(inner), store=store, name="around")
    outer(around).invoke(ASK, {"callbacks": [handler]})

    first, second = sorted(store.recent(), key=lambda one: one.job_id or 0)
    for folder, one, name in (
        (concierge_folder(store), first, "around"),
        (store.folder(first.commis_id), second, "calc"),
    ):
        [line] = starts(folder)
        [record] = [
            found
            for found in map(orjson.loads, (folder / "metrics.jsonl").read_bytes().splitlines())
            if found["event"] == "commis_run"
        ]
        assert list(line) == [
            "event", "name", "span_id", "start_ts", "parent_span_id", "commis_id", "job_id",
        ]  # fmt: skip
        assert (line["commis_id"], line["job_id"]) == (one.commis_id, one.job_id)
        assert line["name"] == record["name"] == name
        assert line["span_id"] == record["span_id"] == one.span_id
        assert line["parent_span_id"] == record["parent_span_id"]


def test_the_start_of_a_commis_is_no_call_that_is_in_flight(store, handler):
    around = create_commis_node(
        outer(create_commis_node(calculator(), store=store)), store=store, name="around"
    )
    outer(around).invoke(ASK, {"callbacks": [handler]})
    found = store.commis(1)
    assert [start.event for start in found.starts] == ["commis_run"]
    # Even if nothing tells that it has ended.
    (found.folder / "metrics.jsonl").unlink()
    store.save_metadata(replace(found.written, status="running"))
    assert store.commis(1).in_flight == ()
    assert [child.status for child in store.commis(1).children] == ["running"]


def test_without_starts_in_capture_nothing_tells_of_those_below(store, handler):
    around = create_commis_node(
        outer(create_commis_node(calculator(), store=store)), store=store, capture=("result",)
    )
    outer(around).invoke(ASK, {"callbacks": [handler]})
    assert store.files(1) == ["metadata.json", "metrics.jsonl", "result.txt"]


def test_a_trace_names_a_commis_that_runs_without_a_concierge_and_none_inside_of_it(store):
    inner = create_commis_node(calculator(), store=store)
    create_commis_node(outer(inner), store=store).invoke(ASK)
    around, below = sorted(store.recent(), key=lambda one: one.job_id or 0)
    assert around.trace_id == below.trace_id
    [folder] = (store.root / "traces").iterdir()
    assert folder.name == around.trace_id
    assert [path.name for path in folder.iterdir()] == [around.commis_id]


def test_labels_are_kept_redacted(store, handler):
    node = create_commis_node(
        calculator(),
        store=store,
        labels={"variant": "b", "key": "sk-secret"},
        redact=lambda text: text.replace("sk-secret", "***"),
    )
    node.invoke(ASK, {"callbacks": [handler]})
    assert store.metadata(1).labels == {"variant": "b", "key": "***"}


def test_without_labels_there_are_none(store, handler):
    create_commis_node(calculator(), store=store).invoke(ASK, {"callbacks": [handler]})
    assert store.metadata(1).labels is None


@pytest.mark.parametrize("labels", ["b", {"variant": 2}, {"": "b"}, {"x" * 51: "b"}, ["variant"]])
@pytest.mark.parametrize(
    "make",
    [
        lambda labels: create_commis_node(calculator(), labels=labels),
        lambda labels: create_commis_tool(calculator(), name="c", description="d", labels=labels),
    ],
)
def test_labels_that_cannot_be_used_are_refused(make, labels):
    with pytest.raises(ConfigurationError, match="labels"):
        make(labels)
