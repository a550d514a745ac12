"""A commis node is the subgraph itself, from whatever side one looks at it."""

from __future__ import annotations

import asyncio
import copy
import inspect
import operator
import threading
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from tests.commis.alike import EACH_MODE, Sides, alike
from tests.scenarios.parts import ScriptedModel, StreamingModel, agent, ask_human, asks, ping
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

    def __init__(
        self, build: Any, watched: bool, is_async: bool, store: CommisStore, inputs: Any = None
    ) -> None:
        inputs = inputs or GRAPHS[build]
        self.ordered = build not in BY_CHANCE
        self.store = store
        self._commis: list[Any] = []

        def commis(graph: Any) -> Any:
            self._commis.append(create_commis_node(graph, store=store))
            return self._commis[-1]

        def side(wrap: Any) -> Sides:
            callbacks = [VisibilityCallbackHandler(store)] if watched else []
            return Sides(lambda saver: build(wrap, is_async, saver), inputs, callbacks, is_async)

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
    assert any(store.recent())


def test_states_and_checkpoints_are_the_same(pair: Pair):
    assert pair.same(lambda side: side.states())


def test_time_travel_is_the_same_from_every_checkpoint(pair: Pair, build):
    update = UPDATES.get(build, NOTE)
    seen = pair.same(lambda side: side.replayed(update))
    changed = str(update).split("'")[-2] if build in UPDATES else "Hurry up"
    assert changed in "".join(seen)


def test_events_are_the_same(build, store):
    for watched in (True, False):
        assert Pair(build, watched, True, store).same(lambda side: side.events())


def test_drawings_and_descriptions_are_the_same(build, is_async, store):
    pair = Pair(build, False, is_async, store)
    inside = pair.same(lambda side: [side.drawn(xray=True)])
    outside = pair.same(lambda side: [side.drawn(xray=False)])
    assert len(inside[0]) > len(outside[0])
    pair.same(lambda side: side.described())


@pytest.fixture
def bare():
    return agent(ScriptedModel(script=[asks("ping"), "done"]), ping, name="pinger")


@pytest.fixture
def node(bare, store):
    return create_commis_node(bare, store=store)


def test_a_node_is_a_graph_of_the_same_class(bare, node):
    assert isinstance(node, type(bare))
    assert isinstance(node, Pregel)
    assert type(node).__name__ == type(bare).__name__
    assert type(node).__module__ == type(bare).__module__
    assert type(node).__doc__ == type(bare).__doc__
    assert vars(node) == vars(bare)
    assert node.get_name() == bare.get_name() == "pinger"
    assert node.input_schema is bare.input_schema
    assert node.output_schema is bare.output_schema
    assert node.get_input_jsonschema() == bare.get_input_jsonschema()
    with pytest.warns(DeprecationWarning, match="config_schema"):
        assert node.config_schema().model_json_schema() == bare.config_schema().model_json_schema()
    assert inspect.signature(type(node).invoke) == inspect.signature(type(bare).invoke)
    assert inspect.isasyncgenfunction(node.astream) == inspect.isasyncgenfunction(bare.astream)
    assert inspect.isgeneratorfunction(node.stream) == inspect.isgeneratorfunction(bare.stream)


def test_wrapping_leaves_the_graph_as_it_was(bare, node, store):
    for graph, known in ((bare, 0), (node, 1), (bare, 1)):
        graph.invoke(ASK)
        assert len(list(store.recent())) == known


@pytest.mark.parametrize(
    "derive",
    [
        lambda node: node.with_config(tags=["mine"]),
        lambda node: node.with_config(tags=["mine"]).with_config(run_name="other"),
        lambda node: node.copy(),
        lambda node: node.copy({"name": "other"}),
        lambda node: copy.copy(node),
    ],
    ids=["with_config", "with_config twice", "copy", "copy with changes", "copy.copy"],
)
def test_what_is_derived_from_a_node_is_watched_too(derive, node, store):
    derived = derive(node)
    assert type(derived) is type(node)
    outer = around(derived, None)
    assert [m.type for m in outer.invoke(ASK)["messages"]] == ["human", "ai", "tool", "ai"]
    assert [(one.name, one.status) for one in store.recent()] == [("research", "success")]


@pytest.mark.parametrize(
    "bind",
    [
        lambda node: node.with_config(tags=["mine"]),
        lambda node: node.with_retry(stop_after_attempt=2),
        lambda node: node.with_fallbacks([RunnableLambda(lambda s: s)]),
        lambda node: node | RunnableLambda(lambda s: s),
        lambda node: RunnableLambda(lambda s: s) | node,
    ],
    ids=["with_config", "with_retry", "with_fallbacks", "pipe", "piped into"],
)
def test_a_node_can_be_part_of_other_runnables(bind, node, store):
    state = bind(node).invoke(ASK)
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert [one.status for one in store.recent()] == ["success"]


def test_retries_of_the_node_are_the_same(is_async, store):
    policy = RetryPolicy(max_attempts=3, initial_interval=0.001, jitter=False)

    def flaky(wrap, is_async, saver):
        lost = [ConnectionError("lost")] * 2
        return around(wrap(agent(ScriptedModel(script=[*lost, "ok"]))), saver, retry_policy=policy)

    def hopeless(wrap, is_async, saver):
        model = ScriptedModel(script=[ConnectionError("lost")])
        return around(wrap(agent(model)), saver, retry_policy=policy)

    for build in (flaky, hopeless):
        Pair(build, True, is_async, store, [ASK]).same(lambda side: side.states())


def test_context_and_configurable_reach_the_graph(is_async, store):
    class Context(TypedDict):
        user: str

    def look(state: Question, runtime: Runtime[Context], config: RunnableConfig) -> Any:
        return {"text": f"{runtime.context['user']} {config['configurable']['mood']}"}

    builder = StateGraph(Question, context_schema=Context).add_node("look", look)
    graph = builder.add_edge(START, "look").compile()
    config = {"configurable": {"mood": "merry"}}
    for one in (graph, create_commis_node(graph, store=store)):
        outer = StateGraph(Question, context_schema=Context).add_node("research", one)
        whole = outer.add_edge(START, "research").compile()
        state = whole.invoke({"text": ""}, config, context={"user": "Ann"})
        assert state == {"text": "Ann merry"}
        assert one.get_context_jsonschema() == graph.get_context_jsonschema()


def test_chunks_come_when_they_are_made(is_async, store):
    """A node that waits for its reader would wait for ever if chunks were held back."""
    read = threading.Event()

    def write(state):
        get_stream_writer()("first")
        assert read.wait(10)
        get_stream_writer()("second")

    builder = StateGraph(MessagesState).add_node("write", write).add_edge(START, "write")
    graph = around(create_commis_node(builder.compile(), store=store), None)
    options = {"stream_mode": "custom", "subgraphs": True}
    chunks = []

    def see(chunk):
        chunks.append(chunk[1])
        read.set()

    async def consume():
        async for chunk in graph.astream(ASK, **options):
            see(chunk)

    if is_async:
        asyncio.run(consume())
    else:
        for chunk in graph.stream(ASK, **options):
            see(chunk)
    assert chunks == ["first", "second"]


@pytest.mark.parametrize("part", ["configurable", "metadata", "callbacks", "tags"])
def test_a_config_may_hold_none_where_langgraph_takes_it(part, store):
    node = create_commis_node(
        agent(ScriptedModel(script=["42"])), store=store, output=lambda state, _: state
    )
    assert node.invoke(ASK, {part: None})["messages"][-1].text == "42"
    assert [one.status for one in store.recent()] == ["success"]
