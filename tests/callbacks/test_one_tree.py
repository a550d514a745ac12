"""One run is one tree, whatever stands between a node and its calls, or outlives them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextvars import copy_context
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from tests.processes import start
from tests.scenarios.found import by_job, kinds, lines, orphans
from tests.scenarios.parts import (
    START,
    Gate,
    MessagesState,
    ScriptedModel,
    StateGraph,
    agent,
    ask_human,
    asks,
    outer,
    ping,
    tool,
)
from zerg_visibility import (
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.testing import FakeClock

ASK = {"messages": [HumanMessage("Calculate 7*6")]}


def graph_of(step: Any, **compiled: Any) -> Any:
    builder = StateGraph(MessagesState).add_node("step", step).add_edge(START, "step")
    return builder.compile(**compiled)


def traces(store: CommisStore) -> set[str]:
    return {line["trace_id"] for line in lines(store.root)}


def folders(store: CommisStore) -> int:
    return len(list((store.root / "concierge").iterdir()))


def run(graph: Any, given: Any, config: Any, is_async: bool) -> Any:
    return asyncio.run(graph.ainvoke(given, config)) if is_async else graph.invoke(given, config)


either = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])

# -- LangSmith beside us ------------------------------------------------------------------------

TRACED = """
import asyncio, os, sys
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langsmith import traceable
from tests.scenarios.found import orphans
from tests.scenarios.parts import *
from zerg_visibility import *

class Passing(AgentMiddleware):
    def wrap_model_call(self, request, handler): return handler(request)
    def wrap_tool_call(self, request, handler): return handler(request)
    async def awrap_model_call(self, request, handler): return await handler(request)
    async def awrap_tool_call(self, request, handler): return await handler(request)

store = CommisStore(sys.argv[1])
handler = VisibilityCallbackHandler(store)
config, given = {"callbacks": [handler]}, {"messages": [("user", "Calculate 7*6")]}
hanging = Gate()

def outer_model():
    return ScriptedModel(script=[asks("ping"), asks("ping"), "42"])

@traceable
def between(messages): return ScriptedModel(script=["a plan"]).invoke(messages)

@traceable
async def hang(messages): return await ScriptedModel(script=[hanging]).ainvoke(messages)

def plan(state): return {"messages": [between(state["messages"])]}
async def wait(state): return {"messages": [await hang(state["messages"])]}

async def cancelled(graph):
    task = asyncio.create_task(graph.ainvoke(given, config))
    while not hanging.entered.is_set():
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

def one(step):
    return StateGraph(MessagesState).add_node("step", step).add_edge(START, "step").compile()

worker = create_agent(outer_model(), tools=[ping], middleware=[Passing()])
kind = sys.argv[2]
if kind == "agent":
    create_agent(outer_model(), tools=[ping], middleware=[Passing()]).invoke(given, config)
elif kind == "async agent":
    agent = create_agent(outer_model(), tools=[ping], middleware=[Passing()])
    asyncio.run(agent.ainvoke(given, config))
elif kind == "commis":
    outer(create_commis_node(worker, store=store)).invoke(given, config)
elif kind == "traceable":
    one(plan).invoke(given, config)
elif kind == "cancelled":
    asyncio.run(cancelled(one(wait)))
print(handler.stats.failures, handler.open_runs, flush=True)
os._exit(0)  # or LangSmith would go on trying for ten seconds
"""


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("agent", ["initial", "ping", "tool_decision", "ping", "synthesis"]),
        ("async agent", ["initial", "ping", "tool_decision", "ping", "synthesis"]),
        ("commis", ["initial", "ping", "tool_decision", "ping", "synthesis"]),
        ("traceable", ["initial"]),
        ("cancelled", ["initial"]),
    ],
)
def test_langsmith_traces_beside_us_and_cannot_be_reached(kind, calls, tmp_path, monkeypatch):
    for name, value in (
        ("LANGSMITH_TRACING", "true"),
        ("LANGSMITH_ENDPOINT", "http://127.0.0.1:9"),  # nobody listens there
        ("LANGSMITH_API_KEY", "none"),
    ):
        monkeypatch.setenv(name, value)
    process = start(TRACED, tmp_path, kind)
    out, err = process.communicate(timeout=60)  # LangSmith says on stderr that it cannot send

    assert (process.returncode, out) == (0, "0 0\n"), err
    found = [line for line in lines(tmp_path) if line["event"] in {"llm_call", "tool_call"}]
    assert [line.get("phase", line.get("tool")) for line in found] == calls
    assert len({line["trace_id"] for line in lines(tmp_path)}) == 1
    assert folders(CommisStore(tmp_path)) == 1
    assert orphans(tmp_path) == []
    if kind == "cancelled":
        assert [(line["success"], line["error"]) for line in found] == [(False, "cancelled")]


# -- what outlives its root ---------------------------------------------------------------------


def test_calls_in_a_thread_that_outlives_its_root(store, handler):
    root_has_ended, threads = threading.Event(), []

    def late(messages: Any) -> None:
        assert root_has_ended.wait(30)
        ScriptedModel(script=["late"]).invoke(messages)
        agent(ScriptedModel(script=[asks("ping"), "42"]), ping).invoke({"messages": messages})

    def step(state: MessagesState) -> Any:
        thread = threading.Thread(target=copy_context().run, args=(late, state["messages"]))
        thread.start()
        threads.append(thread)
        return {"messages": [ScriptedModel(script=["in time"]).invoke(state["messages"])]}

    graph_of(step).invoke(ASK, {"callbacks": [handler]})
    root_has_ended.set()
    threads[0].join(30)

    events = [line["event"] for line in lines(store.root)]
    assert sorted(events) == ["concierge_run", *["llm_call"] * 4, "tool_call"]
    assert (folders(store), len(traces(store)), handler.open_runs) == (1, 1, 0)
    assert orphans(store.root) == []


def test_a_call_in_a_task_that_outlives_its_root_and_is_cancelled(store, handler):
    gate, tasks = Gate(), []

    async def late(messages: Any, root_has_ended: asyncio.Event) -> None:
        await root_has_ended.wait()
        await ScriptedModel(script=[gate]).ainvoke(messages)

    async def main() -> None:
        root_has_ended = asyncio.Event()

        async def step(state: MessagesState) -> Any:
            tasks.append(asyncio.create_task(late(state["messages"], root_has_ended)))
            return {"messages": []}

        await graph_of(step).ainvoke(ASK, {"callbacks": [handler]})
        assert handler.open_runs == 0
        root_has_ended.set()
        while not gate.entered.is_set():
            await asyncio.sleep(0)
        assert handler.open_runs == 1
        tasks[0].cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)  # what a task's end calls runs in the next turn of the loop

    asyncio.run(main())

    assert handler.open_runs == 0
    [run, call] = lines(store.root)
    assert (run["event"], run["status"]) == ("concierge_run", "success")
    assert (call["event"], call["error"]) == ("llm_call", "cancelled")
    assert folders(store) == 1


def test_a_run_whose_only_call_outlives_it_is_told_to_have_ended(store, handler):
    """Or its line in started.jsonl would say that it is at work, and later that it was lost."""
    root_has_ended, threads = threading.Event(), []

    def late() -> None:
        assert root_has_ended.wait(30)
        ScriptedModel(script=["late"]).invoke("Calculate 7*6")

    def step(_: MessagesState) -> Any:
        threads.append(threading.Thread(target=copy_context().run, args=(late,)))
        threads[0].start()
        raise RuntimeError("no such host")

    with pytest.raises(RuntimeError):
        graph_of(step).invoke(ASK, {"callbacks": [handler]})
    assert list(lines(store.root)) == []
    root_has_ended.set()
    threads[0].join(30)

    [run, call] = lines(store.root)
    assert (run["event"], run["status"]) == ("concierge_run", "failed")
    assert run["error"] == "RuntimeError: no such host"
    assert run["end_ts"] <= call["start_ts"]
    assert orphans(store.root) == []


def test_what_outlives_a_run_is_let_go_when_it_ends(store, handler):
    """A task that was started in a run may work for as long as the program runs."""
    asked: list[weakref.ref[Any]] = []

    async def worker(messages: Any, done: asyncio.Event) -> None:
        for _ in range(3):
            message = HumanMessage(messages[0].content)
            asked.append(weakref.ref(message))
            await ScriptedModel(script=["late"]).ainvoke([message])
            del message
        done.set()
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        tasks, done = [], asyncio.Event()

        async def step(state: MessagesState) -> Any:
            tasks.append(asyncio.create_task(worker(list(state["messages"]), done)))
            return {"messages": []}

        await graph_of(step).ainvoke(ASK, {"callbacks": [handler]})
        await done.wait()
        gc.collect()
        assert [message() for message in asked] == [None] * 3
        tasks[0].cancel()
        await asyncio.wait(tasks)

    asyncio.run(main())

    assert kinds(store.root) == {"concierge_run": 1, "llm_call": 3}


@either
def test_what_a_commis_was_given_is_let_go_when_it_ends(is_async, store, handler):
    """Ended runs are remembered, and a thousand of them may have been given long documents."""
    given: list[weakref.ref[Any]] = []
    # A model that does not keep what it was asked.
    commis = create_commis_node(agent(FakeListChatModel(responses=["42"])), store=store)

    def step(state: MessagesState) -> Any:
        message = HumanMessage("a long document")
        given.append(weakref.ref(message))
        commis.invoke({"messages": [message]})
        return {"messages": []}

    run(graph_of(step), ASK, {"callbacks": [handler]}, is_async)

    gc.collect()
    assert given[0]() is None


def test_a_worker_that_was_started_in_a_run_begins_runs_of_its_own_later(store):
    """A queue's consumer, started by the first request, works for others long after that one."""
    clock, tasks = FakeClock(), []
    handler = VisibilityCallbackHandler(store, clock=clock)

    async def consume(root_has_ended: asyncio.Event) -> None:
        await root_has_ended.wait()
        for _ in range(3):
            await agent(ScriptedModel(script=["42"])).ainvoke(ASK)
            clock.advance(200_000)

    async def main() -> None:
        root_has_ended = asyncio.Event()

        async def step(state: MessagesState) -> Any:
            tasks.append(asyncio.create_task(consume(root_has_ended)))
            return {"messages": [ScriptedModel(script=["a plan"]).invoke(state["messages"])]}

        await graph_of(step).ainvoke(ASK, {"callbacks": [handler]})
        root_has_ended.set()
        await tasks[0]

    asyncio.run(main())

    runs = {}
    for line in lines(store.root):
        runs.setdefault(line["concierge_id"], []).append(line["event"])
    first = ["llm_call", "concierge_run", "llm_call", "llm_call"]
    assert sorted(runs.values()) == [["llm_call", "concierge_run"], first]
    assert handler.open_runs == 0
    assert orphans(store.root) == []


def test_a_commis_that_a_thread_starts_after_the_root_has_ended(store, handler):
    root_has_ended, threads = threading.Event(), []
    commis = create_commis_node(agent(ScriptedModel(script=["42"])), store=store)

    def late() -> None:
        assert root_has_ended.wait(30)
        commis.invoke(ASK)

    def step(state: MessagesState) -> Any:
        threads.append(threading.Thread(target=copy_context().run, args=(late,)))
        threads[0].start()
        return {"messages": [ScriptedModel(script=["in time"]).invoke(state["messages"])]}

    graph_of(step).invoke(ASK, {"callbacks": [handler]})
    root_has_ended.set()
    threads[0].join(30)

    [one] = by_job(store)
    [concierge_run] = [line for line in lines(store.root) if line["event"] == "concierge_run"]
    assert (one.status, one.trace_id) == ("success", concierge_run["trace_id"])
    assert one.concierge_id == concierge_run["concierge_id"]
    assert (folders(store), handler.open_runs) == (1, 0)


def test_what_is_remembered_of_ended_runs_is_bounded(store, handler):
    """A thread that comes back after thousands of other runs starts a tree of its own."""
    go_on, threads = threading.Event(), []

    def step(state: MessagesState) -> Any:
        if not threads:

            def late() -> None:
                assert go_on.wait(60)
                ScriptedModel(script=["late"]).invoke(state["messages"])

            threads.append(threading.Thread(target=copy_context().run, args=(late,)))
            threads[0].start()
        return {"messages": []}

    graph = graph_of(step)
    for _ in range(1200):
        graph.invoke(ASK, {"callbacks": [handler]})
    go_on.set()
    threads[0].join(30)

    assert handler.open_runs == 0
    [call] = lines(store.root)
    assert call["event"] == "llm_call"
    assert "parent_span_id" not in call


def test_tool_calls_on_their_own_are_not_remembered_for_ever():
    sink = MemorySink()
    handler = VisibilityCallbackHandler(sinks=[sink], raise_error=True)

    def call_a_tool(parent: UUID | None = None) -> tuple[UUID, str]:
        run_id = uuid4()
        handler.on_tool_start({"name": "ls"}, "", run_id=run_id, parent_run_id=parent)
        handler.on_tool_end("fine", run_id=run_id)
        return run_id, sink.records[-1].trace_id

    first, trace = call_a_tool()
    for _ in range(500):
        call_a_tool()
    assert call_a_tool(first)[1] == trace
    for _ in range(2000):
        call_a_tool()
    assert call_a_tool(first)[1] != trace


# -- no parent that is nowhere ------------------------------------------------------------------


@either
def test_a_model_and_a_tool_that_are_called_on_their_own_have_no_parent(is_async, store, handler):
    config = {"callbacks": [handler]}
    run(ScriptedModel(script=["42"]), "7*6", config, is_async)
    run(ping, {}, config, is_async)

    assert [line.get("parent_span_id") for line in lines(store.root)] == [None, None]
    assert folders(store) == 2


@either
def test_an_interrupted_tool_stands_in_a_line_and_so_does_what_ran_inside(is_async, store, handler):
    inner = ScriptedModel(script=["yes or no?"])

    @tool
    def ask_boss(config: RunnableConfig) -> str:
        """Ask a human in a model's words."""
        return interrupt(inner.invoke("how do I ask?", config).text)

    graph = agent(ScriptedModel(script=[asks("ask_boss"), "42"]), ask_boss,
                  checkpointer=InMemorySaver())  # fmt: skip
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    run(graph, ASK, config, is_async)
    assert orphans(store.root) == []
    run(graph, Command(resume="yes"), config, is_async)

    assert orphans(store.root) == []
    statuses = [r["status"] for r in lines(store.root) if r["event"] == "concierge_run"]
    assert sorted(statuses) == ["interrupted", "success"]


@either
def test_every_segment_of_a_commis_on_its_own_is_in_a_file(is_async, store):
    graph = agent(ScriptedModel(script=[asks("ask_human"), "42"]), ask_human,
                  checkpointer=InMemorySaver())  # fmt: skip
    commis = create_commis_node(graph, store=store)
    config = {"configurable": {"thread_id": "1"}}
    run(commis, ASK, config, is_async)
    run(commis, Command(resume="yes"), config, is_async)

    [one] = by_job(store)
    first, second = one.runs
    assert (first.status, second.status) == ("interrupted", "success")
    assert (first.asked, second.asked) == ("may I?", None)
    assert first.span_id == one.span_id != second.span_id
    assert first.start_ts < first.end_ts < second.start_ts < second.end_ts
    parents = [record.parent_span_id for record in store.records(one.commis_id).items]
    assert parents == [first.span_id, second.span_id, second.span_id]
    assert orphans(store.root) == []


def test_of_many_segments_the_first_and_the_last_are_kept(store):
    def step(state: MessagesState) -> Any:
        interrupt({"question": "again?"})
        return {"messages": []}

    commis = create_commis_node(graph_of(step, checkpointer=InMemorySaver()), store=store)
    config = {"configurable": {"thread_id": "1"}}
    commis.invoke(ASK, config)
    for _ in range(120):
        commis.invoke(None, config)  # which asks once more

    [one] = by_job(store)
    assert (one.segments, len(one.runs)) == (121, 100)
    assert one.runs[0].span_id == one.span_id
    assert one.runs[-1].start_ts == one.segment_started_at
    assert {run.asked for run in one.runs} == {'{"question":"again?"}'}


@either
def test_a_commis_started_in_a_tool_hangs_below_that_tool_call(is_async, store, handler):
    research = create_commis_tool(
        agent(ScriptedModel(script=["42"])), name="research", description="Calculates.", store=store
    )
    wanted = asks(("research", {"task": "Calculate 7*6"}, "call-1"))
    graph = agent(ScriptedModel(script=[wanted, "It is 42."]), research)

    run(graph, ASK, {"callbacks": [handler]}, is_async)

    by_event = {line.get("tool", line["event"]): line for line in lines(store.root)}
    assert by_event["commis_run"]["parent_span_id"] == by_event["research"]["span_id"]
    assert by_event["research"]["parent_span_id"] == by_event["concierge_run"]["span_id"]


@either
def test_nothing_ends_before_what_it_started(is_async, store, handler):
    """Making files takes milliseconds, which once were missing at the end."""
    inner = create_commis_node(agent(ScriptedModel(script=[asks("ping"), "42"]), ping), store=store)
    commis = create_commis_node(outer(inner, name="inner"), store=store)

    run(outer(commis), ASK, {"callbacks": [handler]}, is_async)

    spans = {line["span_id"]: line for line in lines(store.root)}
    pairs = [
        (spans[line["parent_span_id"]], line)
        for line in spans.values()
        if line.get("parent_span_id") in spans
    ]
    assert len(pairs) == 5
    assert all(parent["end_ts"] >= child["end_ts"] for parent, child in pairs)
    assert all(parent["start_ts"] <= child["start_ts"] for parent, child in pairs)


# -- second tries -------------------------------------------------------------------------------


@either
def test_a_second_try_is_one_that_asks_the_same(is_async, store, handler):
    """A node whose call fails may have its messages summarised first, and then try once more."""
    model = ScriptedModel(script=[RuntimeError("too long"), "a summary", "42", "once more"])
    other = [HumanMessage("Summarise this.")]

    def step(state: MessagesState) -> Any:
        with pytest.raises(RuntimeError):
            model.invoke(state["messages"])
        model.invoke(other)
        model.invoke(state["messages"])
        return {"messages": [model.invoke(state["messages"])]}

    run(graph_of(create_commis_node(graph_of(step), store=store)), ASK, {"callbacks": [handler]},
        is_async)  # fmt: skip

    [one] = by_job(store)
    attempts = [record.attempt for record in store.records(one.commis_id).items]
    assert attempts == [1, 1, 2, 1]


@either
@pytest.mark.parametrize(("how", "status"), [("asks", "interrupted"), ("hands over", "success")])
def test_a_node_that_alone_is_watched_is_left_by_no_failure(how, status, is_async, store, handler):
    """Its graph is a root run to its handler, but not to LangGraph, which goes on outside."""

    def work(state: MessagesState) -> Any:
        ScriptedModel(script=["a plan"]).invoke(state["messages"])
        if how == "asks":
            interrupt("may I?")
        return Command(graph=Command.PARENT, goto="after")

    builder = StateGraph(MessagesState).add_node("after", lambda _: {"messages": []})
    builder.add_node("worker", graph_of(work).with_config(callbacks=[handler]))
    graph = builder.add_edge(START, "worker").compile(checkpointer=InMemorySaver())

    run(graph, ASK, {"configurable": {"thread_id": "1"}}, is_async)

    assert [line.get("status") for line in lines(store.root)] == [None, status]
    assert handler.open_runs == 0


def test_the_last_line_of_a_concierge_tells_of_its_run(store):
    handler = VisibilityCallbackHandler(store)

    def step(state: MessagesState) -> Any:
        ScriptedModel(script=["a plan"]).invoke(state["messages"])
        raise RuntimeError("no such host")

    with pytest.raises(RuntimeError):
        graph_of(step, name="planner").invoke(ASK, {"callbacks": [handler]})

    *_, last = lines(store.root)
    assert (last["event"], last["name"], last["status"]) == ("concierge_run", "planner", "failed")
    assert last["error"] == "RuntimeError: no such host"
    assert handler.stats.records == 2
