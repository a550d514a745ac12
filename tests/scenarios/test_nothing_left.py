"""After the run: no thread, no open file, no memory; and what another process can go on with."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from tests.scenarios.expect import call, commis, llm
from tests.scenarios.found import by_job, found, kinds, look
from tests.scenarios.parts import (
    Gate,
    ScriptedModel,
    StreamingModel,
    agent,
    asks,
    broken,
    outer,
    ping,
)
from zerg_visibility import CommisStore, create_commis_node

REPOSITORY = Path(__file__).parents[2]
ASK = {"messages": [HumanMessage("Calculate 7*6")]}


def python(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def printed(process: subprocess.Popen[str]) -> str:
    """What a process printed, once it has ended well."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return output


# -- threads and files --------------------------------------------------------------------------


def open_files() -> set[str]:
    """The files that this process holds open, by name."""
    names = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the numbers are all that is asked
        try:
            names.add(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
        except FileNotFoundError:
            continue  # the listing itself
    return names


def a_good_run(store: CommisStore, config: dict[str, Any]) -> None:
    worker = agent(ScriptedModel(script=[asks("ping"), "done"]), ping)
    outer(create_commis_node(worker, store=store)).invoke(ASK, config)


def a_failed_run(store: CommisStore, config: dict[str, Any]) -> None:
    worker = agent(ScriptedModel(script=[asks("broken")]), broken, handle=False)
    with pytest.raises(RuntimeError):
        outer(create_commis_node(worker, store=store)).invoke(ASK, config)


def an_abandoned_stream(store: CommisStore, config: dict[str, Any]) -> None:
    worker = agent(StreamingModel(script=["one two three"]))
    graph = outer(create_commis_node(worker, store=store))
    next(iter(graph.stream(ASK, config, stream_mode="messages", subgraphs=True)))


def an_asynchronous_run(store: CommisStore, config: dict[str, Any]) -> None:
    worker = agent(ScriptedModel(script=[asks("ping"), "done"]), ping)
    asyncio.run(outer(create_commis_node(worker, store=store)).ainvoke(ASK, config))


def a_cancelled_run(store: CommisStore, config: dict[str, Any]) -> None:
    gate = Gate()
    graph = outer(create_commis_node(agent(ScriptedModel(script=[gate])), store=store))

    async def run() -> None:
        running = asyncio.ensure_future(graph.ainvoke(ASK, config))
        while not gate.entered.is_set():
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())


MIXED = (a_good_run, a_failed_run, an_abandoned_stream, an_asynchronous_run, a_cancelled_run)


@pytest.mark.parametrize("watched", [True, False], ids=["handler", "no handler"])
def test_no_thread_and_no_open_file_is_left(watched, store, handler):
    config = {"callbacks": [handler] if watched else []}
    a_good_run(store, config)
    gc.collect()
    before = set(threading.enumerate()), open_files()

    for run in MIXED:
        run(store, config)
    gc.collect()

    assert (set(threading.enumerate()), open_files()) == before
    assert [one.status for one in by_job(store)] == [
        *("success", "success", "failed", by_job(store)[3].status, "success", "cancelled")
    ]
    assert by_job(store)[3].status in {"success", "cancelled"}


def test_six_hundred_commis_at_once_where_128_files_may_be_open(tmp_path):
    output = printed(python("-m", "tests.scenarios.many_commis", tmp_path, 600, 128))

    assert "records=2400, dropped_records=0, failures=0, late_ends=0, open_runs=0" in output
    store = CommisStore(tmp_path)
    expected = commis("research", "success", llm(), llm("synthesis"))
    seen = [look(store, one) for one in store.recent()]
    assert seen == [expected] * 600
    assert kinds(tmp_path) == {"llm_call": 1200, "commis_run": 600, "concierge_run": 600}
    assert {one.job_id for one in store.recent()} == set(range(1, 601))


def test_many_thousand_events_with_mixed_ends_leave_memory_flat(tmp_path):
    """Measured with tracemalloc, from the start of the process: what Python holds, to the byte."""
    grown = printed(
        python("-X", "tracemalloc", "-m", "tests.scenarios.many_events", tmp_path, 30_000)
    )
    assert int(grown) < 600_000  # 20 bytes an event


# -- other processes ----------------------------------------------------------------------------


def step(name: str, folder: Path) -> tuple[int, int]:
    """Run one step of the story in another process; give when it began and ended, in ns."""
    started, ended = printed(python("-m", "tests.scenarios.another_process", name, folder)).split()
    return int(started), int(ended)


def test_an_interrupt_is_answered_in_another_process(tmp_path):
    store = CommisStore(tmp_path / "data")
    _, asked = step("ask", tmp_path)
    assert found(store) == [commis("research", "interrupted", llm())]

    answered, _ = step("resume", tmp_path)

    (one,) = by_job(store)
    assert look(store, one) == commis(
        "research", "success", llm(), call("ask_human"), llm("synthesis"), segments=2
    )
    assert (one.totals.llm_calls, one.totals.tool_calls, one.totals.total_tokens) == (2, 1, 30)
    waited_ms = (answered - asked) // 1_000_000
    assert one.wall_ms - one.duration_ms >= waited_ms
    assert len(list((tmp_path / "data" / "commis").iterdir())) == 1
    # Each process was a run of the concierge, and each run is a trace.
    assert kinds(tmp_path / "data") == {
        "llm_call": 2,
        "tool_call": 1,
        "commis_run": 2,
        "concierge_run": 2,
    }


def test_a_process_killed_in_a_tool_is_lost_and_goes_on_elsewhere(tmp_path):
    store = CommisStore(tmp_path / "data")
    process = python("-m", "tests.scenarios.another_process", "hang", tmp_path)
    with process:
        started = process.stdout.readline()
        assert re.fullmatch(r"\d+\n", started)
        assert process.stdout.readline() == "in the tool\n"
        assert found(store) == [commis("research", "running", llm())]
        process.kill()
    (lost,) = by_job(store)
    assert look(store, lost) == commis("research", "lost", llm())

    step("again", tmp_path)

    (one,) = by_job(store)
    assert one.commis_id == lost.commis_id
    assert look(store, one) == commis(
        "research",
        "success",
        llm(),
        call("hang", attempt=2),
        llm("synthesis", attempt=2),
        segments=2,
        attempts=2,
    )
    totals = one.totals
    assert (totals.llm_calls, totals.tool_calls, totals.total_tokens) == (2, 1, 30)
    assert (totals.llm_failures, totals.tool_failures) == (0, 0)
    assert one.wall_ms > one.duration_ms
