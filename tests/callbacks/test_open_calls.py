"""`handler.open_calls()`: what is in flight, for whoever watches."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from langchain_core.tools import tool

from tests.processes import python
from tests.scenarios.parts import Gate, ScriptedModel, agent, asks, outer
from zerg_visibility import OpenCallInfo, VisibilityCallbackHandler, create_commis_node
from zerg_visibility.testing import FakeClock, ScriptedChatModel

ASK = {"messages": [("user", "Calculate 7*6")]}


@pytest.fixture
def started(handler):
    """Runs something in a thread until it is inside of a gate; lets it end after the test."""
    gate, threads = Gate(), []

    @tool
    def wait_for_it() -> str:
        """Wait."""
        gate.wait_sync()
        return "done"

    def start(work) -> None:
        threads.append(threading.Thread(target=work))
        threads[0].start()
        assert gate.entered.wait(30)

    start.waits = wait_for_it
    yield start
    gate.released.set()
    for thread in threads:
        thread.join(30)


def test_a_tool_in_a_commis_and_the_commis_are_in_flight(started, store, handler):
    commis = create_commis_node(
        agent(ScriptedModel(script=[asks("wait_for_it"), "42"]), started.waits), store=store
    )
    graph = outer(commis)
    assert handler.open_calls() == []
    started(lambda: graph.invoke(ASK, {"callbacks": [handler]}))
    one, call = handler.open_calls()
    [metadata] = store.recent()
    [segment] = metadata.runs
    whose = (metadata.commis_id, metadata.name, 1)
    assert one == OpenCallInfo(
        "commis_run", metadata.name, *whose, one.start_us, one.start_us, segment.span_id,
        segment.parent_span_id,
    )  # fmt: skip
    assert call == OpenCallInfo(
        "tool_call", "wait_for_it", *whose, call.start_us, call.start_us, call.span_id,
        segment.span_id,
    )  # fmt: skip
    assert one.start_us <= call.start_us


def test_what_has_ended_is_not_in_flight_any_more(handler, store):
    commis = create_commis_node(agent(ScriptedModel(script=["42"])), store=store)
    outer(commis).invoke(ASK, {"callbacks": [handler]})
    assert handler.open_calls() == []


def test_a_call_of_the_concierge_belongs_to_no_commis(started, handler):
    graph = agent(ScriptedModel(script=[asks("wait_for_it"), "42"]), started.waits)
    started(lambda: graph.invoke(ASK, {"callbacks": [handler]}))
    [call] = handler.open_calls()
    assert (call.kind, call.name) == ("tool_call", "wait_for_it")
    assert (call.commis_id, call.commis_name, call.job_id) == (None, None, None)
    assert call.parent_span_id is not None


def test_a_models_first_token_is_its_last_event():
    clock, seen = FakeClock(), []
    handler = VisibilityCallbackHandler(sinks=[_Nothing()], clock=clock, raise_error=True)
    model = ScriptedChatModel(script=["one two three"])
    for _ in model.stream("count", {"callbacks": [handler]}):
        clock.advance(250)
        seen += handler.open_calls()
    assert {call.last_event_us - call.start_us for call in seen} == {0}

    model = ScriptedChatModel(script=[lambda _: clock.advance(250) or "one two three"])
    seen = [handler.open_calls() for _ in model.stream("count", {"callbacks": [handler]})]
    assert {call.last_event_us - call.start_us for calls in seen for call in calls} == {250_000}


class _Nothing:
    def emit(self, record) -> None: ...

    def flush(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None: ...


def test_it_can_be_asked_from_any_thread_while_runs_begin_and_end(handler):
    done = threading.Event()
    wrong: list[Exception] = []

    def watch() -> None:
        while not done.is_set():
            try:
                assert all(isinstance(call, OpenCallInfo) for call in handler.open_calls())
            except Exception as error:
                wrong.append(error)
                return

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()

    async def main() -> None:
        graph = agent(ScriptedModel(script=["42"]))
        await asyncio.gather(*(graph.ainvoke(ASK, {"callbacks": [handler]}) for _ in range(30)))

    asyncio.run(main())
    done.set()
    for watcher in watchers:
        watcher.join(30)
    assert wrong == []


FORKED = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks with threads
from tests.scenarios.parts import *
from zerg_visibility import *

handler = VisibilityCallbackHandler(CommisStore(sys.argv[1]), raise_error=True)
config, gate = {"callbacks": [handler]}, Gate()

@tool
def wait_for_it() -> str:
    "Wait."
    gate.wait_sync()
    return "done"

@tool
def look() -> str:
    "Look."
    return print([call.name for call in handler.open_calls()], flush=True) or ""

graph = agent(ScriptedModel(script=[asks("wait_for_it"), "42"]), wait_for_it)
thread = threading.Thread(target=graph.invoke, args=({"messages": [("user", "?")]}, config))
thread.start()
gate.entered.wait(60)
child = os.fork()
if not child:
    print(handler.open_calls(), flush=True)
    look.invoke({}, config)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print([call.name for call in handler.open_calls()])
gate.released.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="does not fork")
def test_a_forked_child_sees_what_it_does_itself_and_nothing_of_its_parents(tmp_path):
    assert python(FORKED, tmp_path).splitlines() == ["[]", "['look']", "['wait_for_it']"]
