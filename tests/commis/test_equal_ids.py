"""Tool calls with one id, and threads of several owners with one id, are kept apart."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, interrupt

from tests.races.stories import HELLO, around, one, said
from tests.scenarios.parts import Gate
from zerg_visibility import (
    CommisStore,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)


@pytest.mark.parametrize("call_id", ["call_0", ""])
def test_parallel_tool_calls_with_one_id_are_two_commis(call_id, store, handler):
    both_at_work = threading.Barrier(2, timeout=30)

    def work(state: Any) -> Any:
        both_at_work.wait()
        return {"messages": [AIMessage(f"Answer to {state['messages'][0].text}")]}

    def think(_: Any) -> Any:
        calls = [
            {"name": "research", "id": call_id, "args": {"task": f"{which} question"}}
            for which in ("first", "second")
        ]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    research = create_commis_tool(one(work), name="research", description="Look up.", store=store)
    builder = StateGraph(MessagesState).add_node(think).add_node("tools", ToolNode([research]))
    graph = builder.add_edge(START, "think").add_edge("think", "tools").compile()

    state = graph.invoke(HELLO, {"callbacks": [handler]})

    answers = [message.text.rpartition("\n\n")[2] for message in state["messages"][-2:]]
    assert answers == ["Answer to first question", "Answer to second question"]
    found = {one.task: (one.status, store.result(one.commis_id)) for one in store.recent()}
    assert found == {
        "first question": ("success", answers[0]),
        "second question": ("success", answers[1]),
    }


def test_threads_of_the_same_id_do_not_mix_up_commis_of_several_owners(store, handler):
    """As where each user has a checkpointer of his own and all share one store."""

    def asking(user: str) -> Any:
        def ask(_: Any) -> Any:
            return {"messages": [AIMessage(f"{user} says {interrupt('May I?')}")]}

        graph = one(ask, checkpointer=InMemorySaver())
        return create_commis_node(graph, store=store, owner_id=user)

    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    graphs = {user: asking(user) for user in ("alice", "bob")}
    for graph in graphs.values():
        graph.invoke(HELLO, config)
    for graph in graphs.values():
        graph.invoke(Command(resume="yes"), config)
    found = {one.owner_id: (one.segments, store.result(one.commis_id)) for one in store.recent()}
    assert found == {user: (2, f"{user} says yes") for user in graphs}


def test_a_retried_node_that_leaves_out_its_first_commis_continues_the_second(store, handler):
    failures = [ConnectionError("flaky")]

    def second(_: Any) -> Any:
        if failures:
            raise failures.pop()
        return {"messages": [AIMessage("B's answer")]}

    first = create_commis_node(
        one(lambda _: {"messages": [AIMessage("A's answer")]}),
        store=store, name="A", owner_id="alice",
    )  # fmt: skip
    then = create_commis_node(one(second), store=store, name="B", owner_id="bob")
    known: list[Any] = []

    def work(_: Any) -> Any:
        if not known:
            known.append(first.invoke(HELLO))
        then.invoke(HELLO)

    policy = RetryPolicy(initial_interval=0.01, retry_on=ConnectionError)
    around(work, retry_policy=policy).invoke(HELLO, {"callbacks": [handler]})
    found = {
        one.name: (one.owner_id, one.attempts, store.result(one.commis_id))
        for one in store.recent()
    }
    assert found == {"A": ("alice", 1, "A's answer"), "B": ("bob", 2, "B's answer")}


class HeldUpAfterKey(CommisStore):
    """Keeps a thread between writing the key of a commis and beginning it."""

    gate: Gate | None = None

    def remember_key(self, key: str, commis_id: str, *, on_disk: bool) -> None:
        super().remember_key(key, commis_id, on_disk=on_disk)
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.wait_sync()


def test_parallel_tool_calls_with_one_id_are_two_commis_even_if_one_is_only_about_to_begin(
    tmp_path,
):
    store = HeldUpAfterKey(tmp_path)
    held = store.gate = Gate()

    def work(_: Any) -> Any:
        held.released.set()
        return said("The result is 42.")

    research = create_commis_tool(one(work), name="research", description="r", store=store)

    def think(_: Any) -> Any:
        call = {"name": "research", "id": "call_0", "args": {"task": "Calculate 7*6"}}
        return {"messages": [AIMessage("", tool_calls=[call, call])]}

    builder = StateGraph(MessagesState).add_node(think).add_node("tools", ToolNode([research]))
    graph = builder.add_edge(START, "think").add_edge("think", "tools").compile()
    state = graph.invoke(HELLO, {"callbacks": [VisibilityCallbackHandler(store)]})

    answers = [message.text.rpartition("\n\n")[2] for message in state["messages"][-2:]]
    assert answers == ["The result is 42."] * 2
    found = [(one.status, one.segments) for one in store.recent()]
    assert found == [("success", 1)] * 2


def test_tool_calls_with_one_id_that_run_one_after_the_other_are_two_commis(store, handler):
    """Whether they overlap is up to the scheduler; here they must not."""

    def work(state: Any) -> Any:
        return said(f"Answer to {state['messages'][0].text}")

    research = create_commis_tool(one(work), name="research", description="r", store=store)
    calls = [
        {"name": "research", "id": "call_0", "args": {"task": f"{which} question"}}
        for which in ("first", "second")
    ]
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([research]))
    graph = builder.add_edge(START, "tools").compile()
    graph.invoke(
        {"messages": [AIMessage("", tool_calls=calls)]},
        {"callbacks": [handler], "max_concurrency": 1},
    )

    found = {one.task: (one.segments, store.result(one.commis_id)) for one in store.recent()}
    assert found == {
        "first question": (1, "Answer to first question"),
        "second question": (1, "Answer to second question"),
    }
