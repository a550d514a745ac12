"""Many commis in one of several processes that share a root and a log file."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

from zerg_visibility import (
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
)
from zerg_visibility.testing import ScriptedChatModel

SAME_TASK = "Calculate 7*6"
RECORDS_A_COMMIS = 4
"""A model call, a tool call, and the run itself."""


class Work(TypedDict, total=False):
    """The state of the concierge and of its commis."""

    task: str
    answer: str


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def calculator() -> Any:
    """Make a commis of one model call and one tool call."""
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    model = ScriptedChatModel(script=[AIMessage("42", usage_metadata=usage)], repeat=True)

    def work(state: Work) -> Work:
        model.invoke(state["task"])
        return {"answer": str(multiply.invoke({"a": 7, "b": 6}))}

    return StateGraph(Work).add_node("work", work).add_edge(START, "work").compile()


def concierge(store: CommisStore) -> Any:
    """Make a concierge with one commis."""
    commis = create_commis_node(calculator(), store=store)
    return StateGraph(Work).add_node("sums", commis).add_edge(START, "sums").compile()


def main(root: str, log: str, count: str, threads: str) -> None:
    """Wait for the others, run the commis, and say which spans were recorded."""
    store = CommisStore(root)
    sink = MemorySink(limit=10**6)
    handler = VisibilityCallbackHandler(store, sinks=[sink])
    log_file = configure_logging(log)
    graph = concierge(store)
    print("ready", flush=True)
    sys.stdin.readline()

    def one(_: int) -> None:
        graph.invoke({"task": SAME_TASK}, {"callbacks": [handler]})

    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(one, range(int(count))))
    log_file.close()
    assert handler.stats.failures == handler.stats.open_runs == 0, handler.stats
    print(json.dumps([record.span_id for record in sink.records]))
