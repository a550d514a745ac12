"""What commis below a commis have spent, in its own metadata.json: each counted once."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from tests.processes import python
from tests.scripted import calculator, says
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    VisibilityCallbackHandler,
    create_commis_node,
)
from zerg_visibility.store.metadata import DescendantTotals

ASK = {"messages": [("user", "Calculate 7*6")]}
ONE_CALCULATOR = DescendantTotals(jobs=1, llm_calls=2, tool_calls=1, total_tokens=2 * 1323)


def chain(*nodes: Any, **compiled: Any) -> Any:
    builder = StateGraph(MessagesState)
    before = START
    for number, node in enumerate(nodes):
        builder.add_node(f"node{number}", node).add_edge(before, f"node{number}")
        before = f"node{number}"
    return builder.compile(**compiled)


def jobs(store: CommisStore) -> list[CommisMetadata]:
    return sorted(store.recent(), key=lambda one: one.job_id or 0)


def times(count: int) -> DescendantTotals:
    return DescendantTotals.sum_of([ONE_CALCULATOR] * count)


def test_the_sums_of_all_commis_below_are_kept_at_each_level(store, handler):
    def commis(graph: Any) -> Any:
        return create_commis_node(graph, store=store)

    middle = chain(commis(calculator()), commis(calculator()))
    top = chain(commis(middle), commis(calculator()))
    commis(top).invoke(ASK, {"callbacks": [handler]})

    assert [one.descendants for one in jobs(store)] == [
        DescendantTotals(jobs=4, llm_calls=6, tool_calls=3, total_tokens=6 * 1323),
        times(2),
        None,
        None,
        None,
    ]
    assert jobs(store)[0].totals.llm_calls == 0


def test_one_that_is_tried_again_counts_once_with_all_its_attempts(store, handler):
    attempts = []

    def fails_once(_: Any) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("lost")

    inner = create_commis_node(chain(calculator(), fails_once), store=store)
    builder = StateGraph(MessagesState).add_edge(START, "inner")
    retry = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    builder.add_node("inner", inner, retry_policy=retry)
    create_commis_node(builder.compile(), store=store).invoke(ASK, {"callbacks": [handler]})

    outer, nested = jobs(store)
    assert (nested.segments, outer.descendants) == (
        2,
        DescendantTotals(jobs=1, llm_calls=4, tool_calls=2, total_tokens=4 * 1323),
    )


@tool
def late() -> str:
    """Answer when nobody waits any more."""
    return "late"


def test_a_call_that_ends_after_all_of_them_is_added_to_each(store, handler):
    go, done = threading.Event(), threading.Event()

    def call_late(config: RunnableConfig) -> None:
        assert go.wait(30)
        late.invoke({}, config)
        done.set()

    async def work(_: Any, config: RunnableConfig) -> Any:
        asyncio.get_running_loop().run_in_executor(None, call_late, config)
        return {"messages": [says("Done.")]}

    async def run() -> None:
        commis: Any = chain(work)
        for _ in range(3):
            commis = chain(create_commis_node(commis, store=store))
        await commis.ainvoke(ASK, {"callbacks": [handler]})
        assert [one.totals.tool_calls for one in jobs(store)] == [0, 0, 0]
        go.set()
        assert await asyncio.to_thread(done.wait, 30)

    asyncio.run(run())

    top, middle, bottom = jobs(store)
    assert (bottom.status, bottom.totals.tool_calls, bottom.descendants) == ("success", 1, None)
    assert middle.descendants == DescendantTotals(jobs=1, tool_calls=1)
    assert top.descendants == DescendantTotals(jobs=2, tool_calls=1)


def steps(folder: Path, store: CommisStore) -> Any:
    """A commis of two: one that is done before a human is asked, and the one that asks."""

    def ask(_: Any) -> Any:
        return {"messages": [says(f"The human said {interrupt('May I?')}.")]}

    first = create_commis_node(calculator(), store=store)
    second = create_commis_node(chain(calculator(), ask), store=store)
    outer = create_commis_node(chain(first, second), store=store)
    connection = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
    return chain(outer, checkpointer=SqliteSaver(connection))


def run_step(step: str, folder: Path) -> None:
    """Run one step of the story; each may be in another process."""
    store = CommisStore(folder / "data")
    handler = VisibilityCallbackHandler(store, raise_error=True)
    config: Any = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
    steps(folder, store).invoke(ASK if step == "ask" else Command(resume="yes"), config)


STEP = """
import sys
from pathlib import Path
from tests.commis.test_descendants import run_step
run_step(sys.argv[1], Path(sys.argv[2]))
"""


def test_what_was_spent_before_a_human_was_asked_counts_once_in_another_process(tmp_path):
    store = CommisStore(tmp_path / "data")
    python(STEP, "ask", tmp_path)
    waiting = jobs(store)
    assert [one.status for one in waiting] == ["interrupted", "success", "interrupted"]
    assert waiting[0].descendants == times(2)

    python(STEP, "resume", tmp_path)

    after = jobs(store)
    assert [one.status for one in after] == ["success"] * 3
    assert [one.segments for one in after] == [2, 1, 2]
    assert after[0].descendants == times(2)


def test_it_counts_once_in_the_same_process_too(tmp_path):
    for step in ("ask", "resume"):
        run_step(step, tmp_path)
    outer, *_ = jobs(CommisStore(tmp_path / "data"))
    assert (outer.status, outer.descendants) == ("success", times(2))


def test_one_that_was_deleted_meanwhile_is_still_counted_as_a_job(tmp_path):
    store = CommisStore(tmp_path / "data")
    python(STEP, "ask", tmp_path)
    first = jobs(store)[1]
    (store.folder(first.commis_id) / "metadata.json").unlink()

    python(STEP, "resume", tmp_path)

    outer = store.metadata(1)
    assert outer.descendants is not None
    assert (outer.descendants.jobs, outer.descendants.llm_calls) == (2, 2)


def killed(folder: Path, *, goes_on: bool) -> None:
    """Run a commis whose process is killed in another one, which is left out when it goes on."""
    store = CommisStore(folder / "data")
    handler = VisibilityCallbackHandler(store, raise_error=True)
    inner = create_commis_node(chain(calculator(), lambda _: os._exit(0)), store=store)
    connection = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
    outer = create_commis_node(chain(inner), store=store)
    graph = chain(outer, checkpointer=SqliteSaver(connection))
    config: Any = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
    if goes_on:
        [waiting] = graph.get_state(config, subgraphs=True).tasks
        graph.update_state(waiting.state.config, ASK, as_node="node0")
    graph.invoke(None if goes_on else ASK, config, durability="sync")


def test_one_that_was_killed_and_does_not_go_on_counts_with_what_it_spent(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from tests.commis.test_descendants import killed
        killed(Path(sys.argv[1]), goes_on=sys.argv[2] == "go")
    """
    for step in ("begin", "go"):
        python(code, tmp_path, step)
    outer, inner = jobs(CommisStore(tmp_path / "data"))
    assert (outer.status, inner.status) == ("success", "lost")
    assert outer.descendants == times(1)
