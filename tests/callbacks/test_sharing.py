"""One handler for many, several handlers for one, and none passed at all."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ContextThreadPoolExecutor

from tests.scenarios.expect import call, commis, llm
from tests.scenarios.found import by_job, found, kinds, look
from tests.scenarios.parts import (
    START,
    MessagesState,
    ScriptedModel,
    StateGraph,
    StreamingModel,
    agent,
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
    visibility,
)

REPOSITORY = Path(__file__).parents[2]
WORKING = commis("research", "success", llm(), call("ping"), llm("synthesis"))


def ask(text: str = "Calculate 7*6") -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def worker(**options: Any) -> Any:
    return agent(ScriptedModel(script=[asks("ping"), "The result is 42."]), ping, **options)


def concierge(store: CommisStore) -> Any:
    """A concierge that first calls a model itself, then starts a commis."""
    builder = StateGraph(MessagesState)
    plan = ScriptedModel(script=["a plan"], name_of_model="planner")
    builder.add_node("plan", lambda s: {"messages": [plan.invoke(s["messages"])]})
    builder.add_node("research", create_commis_node(worker(), store=store, task=first_text))
    return builder.add_edge(START, "plan").add_edge("plan", "research").compile()


def first_text(state: MessagesState) -> str:
    return state["messages"][0].text


# -- one handler, many graphs -------------------------------------------------------------------

MANY = 50


def numbered_worker(number: int) -> Any:
    """A commis of which every record tells whose it is."""

    @tool(f"ping_{number}")
    def own_ping() -> str:
        """Answer."""
        return str(number)

    model = ScriptedModel(
        script=[asks(own_ping.name), asks((own_ping.name, {}, "again")), f"answer {number}"],
        name_of_model=f"model {number}",
    )
    return agent(model, own_ping)


def in_threads(graphs: list[Any], handler: Any) -> None:
    ready = threading.Barrier(10)

    def run(number: int) -> None:
        ready.wait(30)
        graphs[number].invoke(ask(f"task {number}"), {"callbacks": [handler]})

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(run, range(MANY)))


def in_tasks(graphs: list[Any], handler: Any) -> None:
    async def run() -> None:
        await asyncio.gather(
            *(
                graph.ainvoke(ask(f"task {number}"), {"callbacks": [handler]})
                for number, graph in enumerate(graphs)
            )
        )

    asyncio.run(run())


def in_threads_of_loops(graphs: list[Any], handler: Any) -> None:
    def run(number: int) -> None:
        in_tasks_of = graphs[number].ainvoke(ask(f"task {number}"), {"callbacks": [handler]})
        asyncio.run(in_tasks_of)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(run, range(MANY)))


@pytest.mark.parametrize("at_once", [in_threads, in_tasks, in_threads_of_loops])
def test_fifty_graphs_share_one_handler(at_once, store, handler, memory_sink):
    graphs = [outer(create_commis_node(numbered_worker(n), store=store)) for n in range(MANY)]

    at_once(graphs, handler)

    seen = {one.task: look(store, one) for one in store.recent()}
    assert seen == {
        f"task {n}": commis(
            "research",
            "success",
            numbered(llm(), n),
            call(f"ping_{n}"),
            numbered(llm("tool_decision"), n),
            call(f"ping_{n}", tool_call_id="again"),
            numbered(llm("synthesis"), n),
        )
        for n in range(MANY)
    }
    spans = Counter(record.span_id for record in memory_sink.records)
    assert len(spans) == 7 * MANY
    assert set(spans.values()) == {1}
    assert len({one.trace_id for one in store.recent()}) == MANY
    for one in store.recent():
        number = one.task.removeprefix("task ")
        assert store.result(one.commis_id) == f"answer {number}"
        lines = store.records(one.commis_id).items
        assert {line.trace_id for line in lines} == {one.trace_id}
    assert handler.stats.failures == handler.stats.late_ends == 0


def numbered(record: dict[str, Any], number: int) -> dict[str, Any]:
    return {**record, "model": f"model {number}-2026", "requested_model": f"model {number}"}


@pytest.mark.parametrize("is_async", [False, True], ids=["batch", "abatch"])
def test_a_batch_is_as_many_runs(is_async, store, handler, memory_sink):
    model = ScriptedModel(script=["fine"])
    graph = outer(create_commis_node(agent(model), store=store))
    given = [ask(f"task {n}") for n in range(6)]
    configs = [{"callbacks": [handler], "configurable": {"thread_id": str(n)}} for n in range(6)]

    asyncio.run(graph.abatch(given, configs)) if is_async else graph.batch(given, configs)

    seen = {(one.task, one.thread_id): look(store, one) for one in store.recent()}
    assert seen == {(f"task {n}", str(n)): commis("research", "success", llm()) for n in range(6)}
    assert len({one.concierge_id for one in store.recent()}) == 6
    assert len(memory_sink.records) == 18


# -- several handlers, one graph ----------------------------------------------------------------


EVERYTHING = {"llm_call": 3, "tool_call": 1, "commis_run": 1, "concierge_run": 1}


def told(sink: MemorySink) -> dict[str, int]:
    """How many records of each kind a sink was given."""
    return dict(Counter(record.event for record in sink.records))


def test_a_handler_given_twice_is_called_once(store, handler, memory_sink):
    concierge(store).invoke(ask(), {"callbacks": [handler, handler]})

    assert told(memory_sink) == EVERYTHING
    assert kinds(store.root) == EVERYTHING


def test_a_handler_given_at_several_levels_is_called_once(store, handler, memory_sink):
    graph = concierge(store).with_config(callbacks=[handler])
    with visibility(handler):
        graph.invoke(ask(), {"callbacks": [handler]})

    assert told(memory_sink) == EVERYTHING
    assert kinds(store.root) == EVERYTHING


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_of_two_handlers_one_writes_the_files_and_both_tell_their_sinks(
    is_async, store, handler, memory_sink, tmp_path
):
    sink = MemorySink()
    other = VisibilityCallbackHandler(CommisStore(tmp_path / "other"), sinks=[sink])
    graph, config = concierge(store), {"callbacks": [handler, other]}

    asyncio.run(graph.ainvoke(ask(), config)) if is_async else graph.invoke(ask(), config)

    assert kinds(store.root) == EVERYTHING
    assert found(store) == [WORKING]
    assert told(memory_sink) == told(sink) == EVERYTHING
    # The second's own store has what the concierge did, and no copy of the commis's records.
    assert kinds(tmp_path / "other") == {"llm_call": 1, "concierge_run": 1}
    assert (other.open_runs, other.stats.failures) == (0, 0)


def test_a_handler_in_the_config_wins_over_visibility(store, handler, memory_sink, tmp_path):
    other = VisibilityCallbackHandler(CommisStore(tmp_path / "other"), raise_error=True)
    with visibility(other):
        concierge(store).invoke(ask(), {"callbacks": [handler]})

    assert told(memory_sink) == EVERYTHING
    assert other.stats.records == 0


def test_visibility_in_one_task_does_not_watch_another(tmp_path):
    stores = [CommisStore(tmp_path / name) for name in ("left", "right")]

    async def run(store: CommisStore) -> int:
        with visibility(store) as handler:
            await outer(create_commis_node(worker())).ainvoke(ask())
        return handler.stats.records

    async def both() -> list[int]:
        return await asyncio.gather(*map(run, stores))

    assert asyncio.run(both()) == [5, 5]
    assert [found(one) for one in stores] == [[WORKING], [WORKING]]


# -- by environment -----------------------------------------------------------------------------


def python(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_switched_on_by_environment_every_row_of_the_table_is_recorded_alike(tmp_path):
    done = python(
        *("-m", "tests.callbacks.switched_on", str(tmp_path / "rows")),
        folder=tmp_path,
        ZERG_VISIBILITY="1",
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


ONE_RUN = """
import sys
from tests.callbacks.test_sharing import ask, concierge
from zerg_visibility import CommisStore, VisibilityCallbackHandler
store = CommisStore()
callbacks = [VisibilityCallbackHandler(store)] if sys.argv[1:] else []
concierge(store).invoke(ask(), {"callbacks": callbacks})
"""
COMMIS_ALONE = {"llm_call": 2, "tool_call": 1}


@pytest.mark.parametrize(
    ("switch", "passed", "expected"),
    [
        ("1", (), EVERYTHING),
        ("true", (), EVERYTHING),
        ("1", ("handler",), EVERYTHING),
        ("", ("handler",), EVERYTHING),
        ("", (), COMMIS_ALONE),
        ("0", (), COMMIS_ALONE),
        ("false", (), COMMIS_ALONE),
    ],
)
def test_the_environment_switch(switch, passed, expected, tmp_path):
    done = python(
        *("-c", ONE_RUN, *passed),
        folder=tmp_path,
        ZERG_VISIBILITY=switch,
        ZERG_VISIBILITY_ROOT=str(tmp_path / "data"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert kinds(tmp_path / "data") == expected


# -- threads ------------------------------------------------------------------------------------


def asking_in(start: Any) -> Any:
    """A commis whose node asks its model in a thread of its own making."""
    model = ScriptedModel(script=["fine"])

    def think(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        return {"messages": [start(lambda given=None: model.invoke("x", given), config)]}

    return StateGraph(MessagesState).add_node("think", think).add_edge(START, "think").compile()


def plain_thread(work: Any, config: Any) -> AIMessage:
    answers: list[AIMessage] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    thread.join()
    return answers[0]


def plain_thread_with_config(work: Any, config: Any) -> AIMessage:
    return plain_thread(lambda: work(config), config)


def thread_in_a_copied_context(work: Any, config: Any) -> AIMessage:
    context = contextvars.copy_context()
    return plain_thread(lambda: context.run(work), config)


def langchains_executor(work: Any, config: Any) -> AIMessage:
    with ContextThreadPoolExecutor() as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize(
    ("start", "records"),
    [
        # LangChain sends no event from there: nobody could record the call.
        (plain_thread, ()),
        # The cures.
        (thread_in_a_copied_context, (llm(),)),
        (langchains_executor, (llm(),)),
        (plain_thread_with_config, (llm(),)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_called_in_a_thread_of_the_users_own(start, records, store, handler):
    outer(create_commis_node(asking_in(start), store=store)).invoke(ask(), {"callbacks": [handler]})
    assert found(store) == [commis("research", "success", *records)]


def test_a_commis_started_in_a_plain_thread_that_was_given_the_config(store, handler):
    """It belongs to the commis whose node started it, as it would without the thread."""
    inner = create_commis_node(worker(), store=store)

    def start(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        return plain_thread(lambda: inner.invoke(ask("inner"), config), config)

    builder = StateGraph(MessagesState).add_node("start", start).add_edge(START, "start")
    outer(create_commis_node(builder.compile(), store=store)).invoke(
        ask("outer"), {"callbacks": [handler]}
    )
    whole, part = by_job(store)
    assert (whole.task, part.task) == ("outer", "inner")
    assert part.parent_commis_id == whole.commis_id
    assert (part.trace_id, part.concierge_id) == (whole.trace_id, whole.concierge_id)
    assert [record.event for record in store.records(whole.commis_id).items] == ["commis_run"]


# -- streaming, version 3 -----------------------------------------------------------------------

V3 = pytest.mark.filterwarnings(
    # It is experimental, and LangGraph says so at every use.
    "ignore:The v3 streaming protocol on Pregel is experimental"
)


@V3
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_stream_events_version_3(is_async, store, handler):
    model = StreamingModel(script=[asks("ping"), "The result is 42."])
    graph = outer(create_commis_node(agent(model, ping), store=store))
    config = {"callbacks": [handler]}

    async def consume() -> Any:
        stream = await graph.astream_events(ask(), config, version="v3")
        return await stream.output()

    if is_async:
        state = asyncio.run(consume())
    else:
        state = graph.stream_events(ask(), config, version="v3").output

    assert state["messages"][-1].text.strip() == "The result is 42."
    expected = commis(
        "research", "success", llm(ttft=True), call("ping"), llm("synthesis", ttft=True)
    )
    assert found(store) == [expected]
