"""Segments of one commis that overlap: in threads, in another process, after a fork."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.processes import python
from tests.races.stories import HELLO, InThread, one, prompt, said
from tests.scenarios.parts import Gate
from zerg_visibility import (
    CommisStore,
    VisibilityCallbackHandler,
    create_commis_node,
)
from zerg_visibility.clock import Clock


@pytest.mark.parametrize("failing", [False, True])
async def test_an_attempt_that_ends_after_the_next_one_does_not_say_how_the_commis_is(
    failing, store, handler
):
    gate, runs = Gate(), []

    def work(_: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            gate.wait_sync()
            if failing:
                raise ValueError("the first")
            return said("the first")
        return said("the second")

    story = InThread(store, work, handler)
    await story.cancel_at(gate)
    await story.again()
    before = store.metadata(store.find(1))
    assert (before.status, before.segments) == ("success", 2)

    await story.let_go(gate)

    after = store.metadata(store.find(1))
    assert (after.status, after.error, after.finished_at) == ("success", None, before.finished_at)
    assert store.result(after.commis_id) == "the second"


class HeldUpClock:
    """Keeps a thread between finding its commis and beginning."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.thread: int | None = None

    def wall_ns(self) -> int:
        if self.thread == threading.get_ident():
            self.thread = None
            self.gate.wait_sync()
        return time.time_ns()


class NotingStore(CommisStore):
    """Tells a clock which thread has just looked for a commis."""

    clock: HeldUpClock | None = None

    def commis_of_key(self, key: str, *, on_disk: bool) -> str | None:
        found = super().commis_of_key(key, on_disk=on_disk)
        clock, self.clock = self.clock, None
        if clock is not None:
            clock.thread = threading.get_ident()
        return found


async def test_an_attempt_that_ends_while_the_next_one_is_about_to_begin(tmp_path):
    store, clock, gates, runs = NotingStore(tmp_path), HeldUpClock(), (Gate(), Gate()), []
    handler = VisibilityCallbackHandler(
        store, clock=Clock(wall_ns=clock.wall_ns, monotonic_ns=time.monotonic_ns), raise_error=True
    )

    def work(_: Any) -> Any:
        number = len(runs)
        runs.append(1)
        if number < 2:
            gates[number].wait_sync()
        return said(f"answer {number + 1}")

    story = InThread(store, work, handler)
    await story.cancel_at(gates[0])
    store.clock = clock
    second = asyncio.create_task(story.cancel_at(gates[1], None))
    assert await asyncio.to_thread(clock.gate.entered.wait, 30)
    await story.let_go(gates[0])
    clock.gate.released.set()
    await second
    await story.again()

    await story.let_go(gates[1], 1)

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.attempts) == ("success", 3, 3)
    assert store.result(after.commis_id) == "answer 3"


async def test_a_commis_that_goes_on_after_its_concierge_has_ended_keeps_its_result(store, handler):
    gate = Gate()
    inner = create_commis_node(one(lambda _: said("from inside")), store=store, name="inner")

    def work(state: Any) -> Any:
        gate.wait_sync()
        inner.invoke(state)
        return said("The result is 42.")

    story = InThread(store, work, handler)
    await story.cancel_at(gate)
    await story.let_go(gate)

    outer, nested = sorted(store.recent(), key=lambda one: one.job_id or 0)
    assert (outer.status, store.result(outer.commis_id)) == ("success", "The result is 42.")
    assert (nested.status, store.result(nested.commis_id)) == ("success", "from inside")
    assert "thread.jsonl" in store.files(outer.commis_id)
    assert nested.trace_id == outer.trace_id
    assert handler.open_runs == 0


ELSEWHERE = """
import sys
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from zerg_visibility import *

def work(_):
    return {"messages": [AIMessage("The result is 42.")]}

graph = StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")
graph = graph.compile(checkpointer=InMemorySaver())
config = {"configurable": {"thread_id": "1"}}
graph.update_state(config, {"messages": [("user", "Calculate 7*6")]})
create_commis_node(graph, store=CommisStore(sys.argv[1])).invoke(None, config)
"""


@pytest.mark.parametrize("failing", [False, True])
def test_a_segment_that_hung_does_not_undo_what_another_process_did_since(failing, tmp_path):
    """A worker hangs, its commis is resumed by the next one, and then it wakes up after all."""
    store, gate = CommisStore(tmp_path), Gate()

    def work(_: Any) -> Any:
        gate.wait_sync()
        if failing:
            raise ConnectionError("lost")
        return said("too late")

    def hang() -> None:
        with suppress(ConnectionError):
            node.invoke(HELLO, {"configurable": {"thread_id": "1"}})

    node = create_commis_node(one(work, checkpointer=InMemorySaver()), store=store)
    hanging = threading.Thread(target=hang)
    hanging.start()
    assert gate.entered.wait(30)
    python(ELSEWHERE, tmp_path)
    before = store.metadata(store.find(1))
    assert (before.status, before.segments) == ("success", 2)

    gate.released.set()
    hanging.join(30)

    assert store.metadata(before.commis_id) == before
    assert store.result(before.commis_id) == "The result is 42."


def test_a_commis_that_another_process_went_on_with_is_read_anew_though_it_hangs_here(tmp_path):
    store, gate, runs = CommisStore(tmp_path), Gate(), []

    def work(_: Any) -> Any:
        runs.append(1)
        number = len(runs)
        if number == 1:
            gate.wait_sync()
        prompt.invoke({})
        return said(f"answer {number}")

    config: Any = {"configurable": {"thread_id": "1"}}
    node = create_commis_node(one(work, checkpointer=InMemorySaver()), store=store)
    hanging = threading.Thread(target=lambda: node.invoke(HELLO, config))
    hanging.start()
    assert gate.entered.wait(30)
    python(ELSEWHERE, tmp_path)
    node.invoke(None, config)
    gate.released.set()
    hanging.join(30)

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.attempts) == ("success", 3, 3)
    assert store.result(after.commis_id) == "answer 2"


FORKED = """
import os, sys
from pathlib import Path
from tests.scripted import calculator
from zerg_visibility import *

store, sink = CommisStore(sys.argv[1]), MemorySink()
configure_logging(sys.argv[1] + "/backend.log")
handler = VisibilityCallbackHandler(store, sinks=[sink])
stream = create_commis_node(calculator(), store=store).stream(
    {"messages": [("user", "Calculate 7*6")]}, {"callbacks": [handler]}
)
next(stream)
child = os.fork()
if child == 0:
    stream.close()  # as the garbage collector does
    os._exit(0)
os.waitpid(child, 0)
print(store.metadata(store.find(1)).status)
list(stream)
print(store.metadata(store.find(1)).status)
print(Path(sys.argv[1], "backend.log").read_text().count(" commis_complete "))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="does not fork")
def test_a_forked_child_that_leaves_does_not_end_the_commis_of_its_parent(tmp_path):
    assert python(FORKED, tmp_path).split() == ["running", "success", "1"]


FORKED_CONCIERGE = """
import os, sys
from tests.scenarios.found import lines
from tests.scenarios.parts import *
from zerg_visibility import *

store = CommisStore(sys.argv[1])
config = {"callbacks": [VisibilityCallbackHandler(store)]}
given = {"messages": [("user", "Calculate 7*6")]}
if sys.argv[2] == "graph":
    stream = agent(ScriptedModel(script=[asks("ping"), "42"]), ping).stream(given, config)
else:
    stream = StreamingModel(script=["It is 42."]).stream("Calculate 7*6", config)
next(stream)
child = os.fork()
if child == 0:
    stream.close()  # as the garbage collector does
    os._exit(0)
os.waitpid(child, 0)
list(stream)
print(*(line.get("status", line.get("error", line["event"])) for line in lines(store.root)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="does not fork")
@pytest.mark.parametrize(
    ("kind", "told"), [("graph", "llm_call tool_call llm_call success"), ("model", "llm_call")]
)
def test_a_forked_child_that_leaves_does_not_end_the_run_of_its_parent(kind, told, tmp_path):
    assert python(FORKED_CONCIERGE, tmp_path, kind).strip() == told
