"""What is easily forgotten: closing that is cancelled, a missing folder, a foreign file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from tests.processes import python, python_with_faults
from tests.races.stories import HELLO, one
from tests.scripted import calculator, run
from zerg_visibility import (
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
    visibility,
)


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a bug of ours")


class SlowToClose(InMemorySaver):
    """A checkpointer whose writing takes until it is cancelled, once it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.entered = asyncio.Event()

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        if self.slow:
            self.entered.set()
            await asyncio.get_running_loop().create_future()
        return await super().aput(*args, **kwargs)


async def test_closing_a_stream_is_cancelled(store, handler):
    saver = SlowToClose()
    builder = StateGraph(MessagesState).add_node("a", lambda _: {}).add_node("b", lambda _: {})
    graph = builder.add_edge(START, "a").add_edge("a", "b").compile(checkpointer=saver)
    node = create_commis_node(graph, store=store)
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    stream = node.astream(HELLO, config, stream_mode="updates", durability="exit")
    await anext(stream)
    saver.slow = True
    closing = asyncio.create_task(stream.aclose())
    await saver.entered.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert store.metadata(store.find(1)).status == "cancelled"


def waiting_tool(store: CommisStore) -> Any:
    """A concierge whose commis tool waits for a human."""

    def ask(_: Any) -> Any:
        return {"messages": [AIMessage(f"The human said {interrupt('May I?')}.")]}

    def think(_: Any) -> Any:
        call = {"name": "research", "id": "1", "args": {"task": "find out"}}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    research = create_commis_tool(one(ask), name="research", description="Look up.", store=store)
    builder = StateGraph(MessagesState).add_node(think).add_node("tools", ToolNode([research]))
    builder.add_edge(START, "think").add_edge("think", "tools")
    return builder.compile(checkpointer=InMemorySaver())


def test_a_foreign_file_among_the_outputs_is_passed_over(store, handler):
    graph, config = waiting_tool(store), {"callbacks": [handler], "configurable": {"thread_id": 1}}
    graph.invoke(HELLO, config)
    folder = store.folder(store.find(1)) / "tool_calls"
    folder.mkdir(exist_ok=True)
    for name in ("2024-notes.txt", f"{'9' * 30}_x.txt", "\u0663_x.txt"):
        (folder / name).write_text("")
    state = graph.invoke(Command(resume="yes"), config)
    assert state["messages"][-1].text.endswith("The human said yes.")
    assert store.metadata(store.find(1)).status == "success"


def test_a_commis_tool_that_cannot_be_watched_answers_all_the_same(store, monkeypatch):
    graph = waiting_tool(store)
    handler = VisibilityCallbackHandler(store)
    config = {"callbacks": [handler], "configurable": {"thread_id": 1}}
    graph.invoke(HELLO, config)

    monkeypatch.setattr(CommisStore, "commis_of_key", fail)
    state = graph.invoke(Command(resume="yes"), config)
    assert state["messages"][-1].text == (
        "Result from a commis that could not be watched:\n\nThe human said yes."
    )
    assert handler.stats.failures == 1


def test_calls_whose_end_is_never_reported_do_not_pile_up():
    """LangChain reports none for a model call that is cancelled outside of any graph."""
    sink, most = MemorySink(), 50_000
    handler = VisibilityCallbackHandler(sinks=[sink], raise_error=True)
    for _ in range(100):
        handler.on_chat_model_start({"name": "model"}, [[]], run_id=uuid4())
    graph = uuid4()
    handler.on_chain_start({}, {}, run_id=graph)
    for _ in range(most + 100):
        handler.on_chain_start({}, {}, run_id=uuid4(), parent_run_id=graph)
    assert handler.open_runs == most
    assert [record.error for record in sink.records] == ["cancelled"] * 100
    for _ in range(100):
        handler.on_tool_start({"name": "ls"}, "", run_id=uuid4(), parent_run_id=graph)
    assert handler.open_runs == most


def test_sinks_of_another_handler_do_not_get_what_the_commis_hides(store, handler):
    @tool
    def fail() -> str:
        """Fail."""
        raise ValueError("the key is SECRET")

    def work(_: Any) -> Any:
        with pytest.raises(ValueError, match="SECRET"):
            fail.invoke({})
        return {}

    sink = MemorySink()
    other = VisibilityCallbackHandler(
        store, sinks=[sink], redact=lambda text: text.replace("key", "thing"), raise_error=True
    )
    node = create_commis_node(
        one(work), store=store, redact=lambda text: text.replace("SECRET", "*")
    )
    outer = StateGraph(MessagesState).add_node("research", node).add_edge(START, "research")
    outer.compile().invoke(HELLO, {"callbacks": [handler, other]})
    [failed] = [record for record in sink.records if record.error]
    assert failed.error == "ValueError: the thing is *"


async def test_visibility_may_be_left_in_another_context_than_it_was_entered_in(store):
    """As where a server steps the generator that answers a request in tasks of its own."""
    graph = one(lambda _: {"messages": [AIMessage("42")]})

    async def answer() -> AsyncIterator[Any]:
        with visibility(store):
            async for chunk in graph.astream(HELLO, stream_mode="values"):
                yield chunk

    stream, end = answer(), object()
    chunks: list[Any] = []
    while not chunks or chunks[-1] is not end:
        chunks.append(await asyncio.create_task(_next(stream, end)))
    assert chunks[-2]["messages"][-1].text == "42"


async def _next(stream: AsyncIterator[Any], end: object) -> Any:
    return await anext(stream, end)


GONE = """
import os, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
sys.path.insert(0, sys.argv[2])
from tests.races.stories import HELLO, one
from tests.scripted import calculator, run
from zerg_visibility import VisibilityCallbackHandler, create_commis_node
handler = VisibilityCallbackHandler()
print(run(create_commis_node(calculator()), "Calculate 7*6", handler)["messages"][-1].text)
"""


def test_the_working_directory_is_gone(tmp_path, pytestconfig):
    said = python_with_faults(GONE, tmp_path / "gone", pytestconfig.rootpath)
    assert said == "The result is 42.\n"


def test_the_working_directory_is_gone_while_the_package_is_switched_on(
    tmp_path, monkeypatch, pytestconfig
):
    monkeypatch.setenv("ZERG_VISIBILITY", "1")
    code = "import os, sys\nos.mkdir(sys.argv[1])\nos.chdir(sys.argv[1])\nos.rmdir(sys.argv[1])\n"
    code += "sys.path.insert(0, sys.argv[2])\nimport zerg_visibility\nprint('there')\n"
    assert python(code, tmp_path / "gone", pytestconfig.rootpath) == "there\n"


@pytest.mark.parametrize("reader", ["read_answer", "read_outcome"])
def test_an_answer_that_cannot_be_read_has_its_record_all_the_same(reader, store, monkeypatch):
    handler = VisibilityCallbackHandler(store)
    monkeypatch.setattr(f"zerg_visibility.callbacks.handler.{reader}", fail)
    state = run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    assert state["messages"][-1].text == "The result is 42."
    records = store.records(store.find(1)).items
    assert [record.event for record in records] == ["llm_call", "tool_call", "llm_call"]
    assert handler.stats.failures == (2 if reader == "read_answer" else 1)
    assert handler.stats.dropped_records == 0


def test_a_record_that_never_came_to_be_is_counted_as_dropped(store, monkeypatch):
    handler = VisibilityCallbackHandler(store)

    monkeypatch.setattr("zerg_visibility.callbacks.builder.ToolCallRecord", fail)
    state = run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    assert state["messages"][-1].text == "The result is 42."
    assert handler.stats.dropped_records == 1
    assert store.metadata(store.find(1)).dropped_records == 1
    assert handler.open_runs == 0


def test_a_commis_whose_key_cannot_be_remembered_is_watched_all_the_same(store, monkeypatch):
    monkeypatch.setattr(store, "remember_key", fail)
    handler = VisibilityCallbackHandler(store)
    run(one(create_commis_node(calculator(), store=store)), "Calculate 7*6", handler)
    [found] = store.recent()
    assert (found.status, found.totals.llm_calls) == ("success", 2)
    assert (handler.stats.failures, handler.stats.dropped_records) == (1, 0)
