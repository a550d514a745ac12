"""A concierge with one commis of five calls, and what is left of a run of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import asks, commis_agent, run, says, without_message_ids
from zerg_visibility import (
    CommisStore,
    VisibilityCallbackHandler,
    create_commis_node,
)

CALLS = 5

RECORDS = CALLS + 2
"""With the run of the commis, and the root run around it."""
TASK = "Calculate 7*6 twice"


def nothing() -> None:
    """Do nothing."""


def calculator(first: Callable[[], Any] = nothing, last: Callable[[], Any] = nothing) -> Any:
    """Make a commis that does something of the test's while its first and last model works."""

    def at_first(_: Any) -> Any:
        first()
        return asks("multiply", "one", a=7, b=6)

    def at_last(_: Any) -> Any:
        last()
        return says("The result is 42.")

    return commis_agent(at_first, asks("multiply", "two", a=6, b=7), at_last)


def inside(commis: Any) -> Any:
    """Put a commis into a concierge."""
    return StateGraph(MessagesState).add_node("sums", commis).add_edge(START, "sums").compile()


def watched(store: CommisStore, graph: Any = None, **options: Any) -> Any:
    """Make a concierge whose commis is watched."""
    return inside(create_commis_node(graph or calculator(), store=store, **options))


def answer(graph: Any, *handlers: Any) -> Any:
    """Run a graph; its state, to compare."""
    return without_message_ids(run(graph, TASK, *handlers))


def expected_answer() -> Any:
    """What the graph gives without us."""
    return answer(inside(calculator()))


def lines_in(store: CommisStore) -> int:
    """Whole lines in all metrics.jsonl."""
    return sum(path.read_bytes().count(b"\n") for path in store.root.glob("*/*/metrics.jsonl"))


def is_complete(store: CommisStore, job_id: int) -> bool:
    """Say whether nothing at all is missing of a commis."""
    commis_id = store.find(job_id)
    metadata = store.metadata(commis_id)
    read = store.records(commis_id)
    return (
        (metadata.status, metadata.dropped_records) == ("success", 0)
        and (metadata.totals.llm_calls, metadata.totals.tool_calls) == (3, 2)
        and (len(read.items), read.unreadable, read.torn) == (CALLS, 0, False)
        and store.calls_in_flight(commis_id) == ()
        and store.result(commis_id) == "The result is 42."
        and {"started.jsonl", "thread.jsonl", "tool_calls/001_multiply.txt"}
        <= set(store.files(commis_id))
    )


def said_once(caplog: pytest.LogCaptureFixture) -> bool:
    """Say whether there was a warning, and none of the same kind twice."""
    kinds = Counter(
        (record.args[0], str(record.args[1]).partition(":")[0])
        for record in caplog.records
        if record.levelno == logging.WARNING and record.name == "zerg_visibility"
    )
    return bool(kinds) and set(kinds.values()) == {1}


def nothing_unaccounted(store: CommisStore, handler: VisibilityCallbackHandler) -> bool:
    """Say whether each record is either in a file or counted as dropped."""
    stats = handler.stats
    return lines_in(store) + stats.dropped_records == stats.records
