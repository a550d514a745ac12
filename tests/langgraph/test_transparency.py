"""A commis node is the subgraph itself, from whatever side one looks at it."""

from __future__ import annotations

import operator
import time
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from tests.langgraph.alike import EACH_MODE, Sides, alike
from tests.langgraph.parts import ScriptedModel, StreamingModel, agent, asks, ask_human, ping
from tests.langgraph.running import Watch
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node

ASK = {"messages": [HumanMessage("Calculate 7*6", id="question")]}
NOTE = {"messages": [HumanMessage("Hurry up", id="note")]}


def both(sync: Any, asynchronous: Any) -> Any:
    return RunnableLambda(sync, asynchronous)


def says(model: Any) -> Any:
    """A node that calls a model."""

    def think(state):
        return {"messages": [model.invoke(state["messages"])]}

    async def athink(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    return both(think, athink)


def around(node: Any, checkpointer: Any, *, state: Any = MessagesState, **options: Any) -> Any:
    """A concierge with a node before and one after the commis."""
    builder = StateGraph(state)
    builder.add_node("before", lambda s: {})
    builder.add_node("research", node, **options)
    builder.add_node("after", lambda s: {})
    builder.add_edge(START, "before").add_edge("before", "research").add_edge("research", "after")
    return builder.compile(checkpointer=checkpointer)


def linear(wrap, is_async, saver):
    builder = StateGraph(MessagesState)
    builder.add_node("one", says(ScriptedModel(script=["first"])))
    builder.add_node("two", says(ScriptedModel(script=["second"])))
    sub = builder.add_edge(START, "one").add_edge("one", "two").compile(name="two steps")
    return around(wrap(sub), saver)


def loop(wrap, is_async, saver):
    inner = StateGraph(MessagesState).add_node("think", says(StreamingModel(script=["once more"])))
    builder = StateGraph(MessagesState).add_node(
        "research", wrap(inner.add_edge(START, "think").compile())
    )
    builder.add_edge(START, "research")
    builder.add_conditional_edges(
        "research", lambda s: "research" if len(s["messages"]) < 4 else END, ["research", END]
    )
    return builder.compile(checkpointer=saver)


def tools_agent(wrap, is_async, saver):
    model = StreamingModel(script=[asks("ping"), "The result is 42."])
    return around(wrap(agent(model, ping)), saver)


def parallel(wrap, is_async, saver):
    builder = StateGraph(MessagesState)
    for name in ("left", "right"):
        builder.add_node(name, says(ScriptedModel(script=[name])))
        builder.add_edge(START, name)
    return around(wrap(builder.compile()), saver)


class Items(TypedDict):
    items: Annotated[list[str], operator.add]


def send(wrap, is_async, saver):
    inner = StateGraph(Items).add_node("work", lambda s: {"items": [s["items"][-1] + "!"]})
    sub = wrap(inner.add_edge(START, "work").compile())
    builder = StateGraph(Items).add_node("research", sub)
    builder.add_conditional_edges(
        START, lambda s: [Send("research", {"items": [x]}) for x in s["items"]], ["research"]
    )
    return builder.compile(checkpointer=saver)


def interrupted(wrap, is_async, saver):
    model = ScriptedModel(script=[asks("ask_human"), "done"])
    return around(wrap(agent(model, ask_human)), saver)


def nested(wrap, is_async, saver):
    model = StreamingModel(script=[asks("ask_human"), "done"])
    inner = StateGraph(MessagesState).add_node("inner", wrap(agent(model, ask_human)))
    return around(wrap(inner.add_edge(START, "inner").compile(name="middle")), saver)


def functional(wrap, is_async, saver):
    model = ScriptedModel(script=["fine"])

    @task
    def step(text):
        return model.invoke(text)

    @entrypoint()
    def flow(state):
        answer = step("x").result()
        return {"messages": [answer, AIMessage(f"{interrupt('may I?')}", id="answer")]}

    @task(name="step")
    async def astep(text):
        return await model.ainvoke(text)

    @entrypoint()
    async def aflow(state):
        answer = await astep("x")
        return {"messages": [answer, AIMessage(f"{interrupt('may I?')}", id="answer")]}

    aflow.name = flow.name
    return around(wrap(aflow if is_async else flow), saver)


def handoff(wrap, is_async, saver):
    inner = StateGraph(MessagesState)
    inner.add_node(
        "choose", lambda s: Command(goto="leave", update=NOTE), destinations=("leave", "stay")
    )
    inner.add_node("stay", lambda s: {})
    inner.add_node(
        "leave",
        lambda s: Command(
            graph=Command.PARENT,
            goto="next",
            update={"messages": [AIMessage("over to you", id="over")]},
        ),
    )
    sub = wrap(inner.add_edge(START, "choose").compile())
    builder = StateGraph(MessagesState).add_node("research", sub, destinations=("next",))
    builder.add_node("next", wrap(agent(ScriptedModel(script=["fine"]))))
    return builder.add_edge(START, "research").compile(checkpointer=saver)


class Question(TypedDict):
    text: str


class Private(TypedDict):
    text: str
    secret: str
    length: int


class Length(TypedDict):
    length: int


class Outer(TypedDict):
    text: str
    length: int


def own_schemas(wrap, is_async, saver):
    model = StreamingModel(script=["to be streamed"])

    def look(state: Question) -> Any:
        get_stream_writer()({"looking at": state["text"]})
        return {"secret": model.invoke("x").text}

    async def alook(state: Question, writer=None) -> Any:
        get_stream_writer()({"looking at": state["text"]})
        return {"secret": (await model.ainvoke("x")).text}

    def measure(state: Private) -> Any:
        return {"length": len(state["text"]) + len(state["secret"])}

    builder = StateGraph(Private, input_schema=Question, output_schema=Length)
    builder.add_node("look", alook if is_async else look).add_node("measure", measure)
    sub = builder.add_edge(START, "look").add_edge("look", "measure").compile()
    return around(wrap(sub), saver, state=Outer)


def own_memory(wrap, is_async, saver):
    model = StreamingModel(script=["first", "second", "third"])
    return around(wrap(agent(model, checkpointer=True)), saver)


TWICE = [ASK, {"messages": [HumanMessage("And 7*7?", id="again")]}]
ANSWERED = [ASK, Command(resume="yes")]
GRAPHS = {
    linear: [ASK],
    loop: [ASK],
    tools_agent: [ASK],
    parallel: [ASK],
    send: [{"items": ["a", "b", "c"]}],
    interrupted: ANSWERED,
    nested: ANSWERED,
    functional: ANSWERED,
    handoff: [ASK],
    own_schemas: [{"text": "abc"}],
    own_memory: TWICE,
}
UPDATES = {send: {"items": ["z"]}, own_schemas: {"text": "changed"}}
BY_CHANCE = {parallel, send}


class Pair:
    """A graph with its subgraphs bare, and the same with commis instead of them."""

    def __init__(self, build: Any, watched: bool, is_async: bool, store: CommisStore) -> None:
        self.ordered = build not in BY_CHANCE
        self.store = store
        self._commis: list[Any] = []

        def commis(graph: Any) -> Any:
            self._commis.append(create_commis_node(graph, store=store))
            return self._commis[-1]

        def side(wrap: Any) -> Sides:
            callbacks = [VisibilityCallbackHandler(store)] if watched else []
            return Sides(
                lambda saver: build(wrap, is_async, saver), GRAPHS[build], callbacks, is_async
            )

        self._bare, self._watched = side(lambda graph: graph), side(commis)

    def same(self, look: Any) -> list[str]:
        """Look at both; they must not differ. Gives what was seen."""
        bare, watched = look(self._bare), look(self._watched)
        expected = alike(bare, ordered=self.ordered)
        assert alike(watched, ordered=self.ordered) == expected
        assert {node.commis_handler.stats.failures for node in self._commis} == {0}
        assert {node.commis_handler.open_runs for node in self._commis} == {0}
        return expected


@pytest.fixture(params=GRAPHS, ids=lambda build: build.__name__)
def build(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["handler", "no handler"])
def pair(request, build, is_async, store) -> Pair:
    return Pair(build, request.param, is_async, store)


@pytest.mark.parametrize("stream_mode", EACH_MODE, ids=str)
def test_streams_are_the_same(stream_mode, build, is_async, store):
    # With a handler, all modes at once will do: each way of watching sends the same chunks.
    pair = Pair(build, isinstance(stream_mode, list), is_async, store)
    for subgraphs in (False, True):
        pair.same(lambda side: side.streamed(stream_mode, subgraphs))  # noqa: B023
    assert store.recent()


def test_states_and_checkpoints_are_the_same(pair: Pair):
    assert pair.same(lambda side: side.states())


def test_time_travel_is_the_same_from_every_checkpoint(pair: Pair, build):
    assert pair.same(lambda side: side.replayed(UPDATES.get(build, NOTE)))


def test_events_are_the_same(build, store):
    for watched in (True, False):
        assert Pair(build, watched, True, store).same(lambda side: side.events())


def test_drawings_and_descriptions_are_the_same(build, is_async, store):
    pair = Pair(build, False, is_async, store)
    assert "subgraph research" in "".join(pair.same(lambda side: [side.drawn()]))
    pair.same(lambda side: side.described())
