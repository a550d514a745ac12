"""Scenarios: the shapes in which commis are put into graphs."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.types import Send

from tests.scenarios.expect import call, commis, llm
from tests.scenarios.parts import (
    START,
    MessagesState,
    ScriptedModel,
    StateGraph,
    Text,
    agent,
    asks,
    double,
    outer,
    ping,
    text_graph,
)
from tests.scenarios.running import Watch
from tests.scenarios.table import scenario
from zerg_visibility import create_commis_tool

ASK = {"messages": [HumanMessage("Calculate 7*6")]}
WORKING = (llm(), call("ping"), llm("synthesis"))


def worker(**options):
    return agent(ScriptedModel(script=[asks("ping"), "The result is 42."]), ping, **options)


@scenario("a commis as a node", commis("research", "success", *WORKING))
def as_node(watch: Watch):
    watch.run(outer(watch.commis(worker())), ASK)


@scenario("a commis as a tool", commis("research", "success", *WORKING))
def as_tool(watch: Watch):
    tool = create_commis_tool(worker(), name="research", description="r", store=watch.store)
    call_it = asks(("research", {"task": "Calculate 7*6"}, "c1"))
    watch.run(agent(ScriptedModel(script=[call_it, "done"]), tool), ASK)


@scenario("a commis called in a node function, with its config", commis("fn", "success", *WORKING))
def in_function_with_config(watch: Watch):
    node = watch.commis(worker())

    def fn(state, config):
        return node.invoke(state, config)

    async def afn(state, config):
        return await node.ainvoke(state, config)

    from langchain_core.runnables import RunnableConfig

    fn.__annotations__["config"] = afn.__annotations__["config"] = RunnableConfig
    watch.run(outer(afn if watch.is_async else fn, name="fn"), ASK)


@scenario(
    "a commis called twice in a node function, without config",
    commis("fn", "success", *WORKING),
    commis("fn", "success", llm("initial")),
)
def in_function_twice(watch: Watch):
    node = watch.commis(worker())

    def fn(state):
        node.invoke(state)
        return node.invoke(state)

    async def afn(state):
        await node.ainvoke(state)
        return await node.ainvoke(state)

    watch.run(outer(afn if watch.is_async else fn, name="fn"), ASK)


@scenario(
    "commis nested three deep",
    commis(
        "a",
        "success",
        children=(commis("b", "success", children=(commis("c", "success", *WORKING),)),),
    ),
)
def nested(watch: Watch):
    inner = watch.commis(worker())
    middle = watch.commis(outer(inner, name="c"))
    watch.run(outer(watch.commis(outer(middle, name="b")), name="a"), ASK)


def spread(watch: Watch, node, count: int):
    builder = StateGraph(MessagesState).add_node("research", node)
    builder.add_conditional_edges(START, lambda s: [Send("research", s) for _ in range(count)])
    return builder.compile()


@scenario(
    "fifty commis by Send",
    *[commis("research", "success", llm("initial"))] * 50,
)
def fan_out(watch: Watch):
    node = watch.commis(agent(ScriptedModel(script=["fine"])))
    watch.run(spread(watch, node, 50), ASK)


@scenario(
    "parallel tool calls",
    commis(
        "research",
        "success",
        llm(),
        call("double", tool_call_id="d1"),
        call("double", tool_call_id="d2"),
        call("ping", tool_call_id="p1"),
        llm("synthesis"),
    ),
    any_order=True,
)
def parallel_tools(watch: Watch):
    both = asks(
        ("double", {"number": 1}, "d1"), ("ping", {}, "p1"), ("double", {"number": 2}, "d2")
    )
    watch.run(outer(watch.commis(agent(ScriptedModel(script=[both, "ok"]), ping, double))), ASK)


@scenario(
    "a loop through the same commis", *[commis("work", "success", llm("initial", node="x"))] * 3
)
def loop(watch: Watch):
    model = ScriptedModel(script=["a", "b", "c"])
    inner = watch.commis(
        text_graph(lambda s: {"text": s["text"] + str(model.invoke("x").content)}, "x")
    )
    builder = StateGraph(Text).add_node("work", inner).add_edge(START, "work")
    builder.add_conditional_edges("work", lambda s: "work" if len(s["text"]) < 3 else "__end__")
    watch.run(builder.compile(), {"text": ""})


def _with_checkpointer(setting):
    def run(watch: Watch):
        node = watch.commis(worker(checkpointer=setting))
        graph = outer(node, checkpointer=InMemorySaver())
        watch.run(graph, ASK, watch.config(thread_id="t"))
        watch.run(graph, ASK, watch.config(thread_id="t"))

    return run


TWO_TURNS = (commis("research", "success", *WORKING), commis("research", "success", llm("initial")))
for setting in (True, False, None):
    scenario(f"two turns of a commis with checkpointer={setting}", *TWO_TURNS)(
        _with_checkpointer(setting)
    )


@scenario("an entrypoint with tasks as a commis", commis("research", "success", llm(node="step")))
def functional(watch: Watch):
    model = ScriptedModel(script=["fine"])

    @task
    def step(text):
        return model.invoke(text).content

    @entrypoint()
    def flow(state):
        return {"messages": [AIMessage(step("x").result())]}

    @task(name="step")
    async def astep(text):
        return (await model.ainvoke(text)).content

    @entrypoint()
    async def aflow(state):
        return {"messages": [AIMessage(await astep("x"))]}

    watch.run(outer(watch.commis(aflow if watch.is_async else flow)), ASK)


@scenario("a commis called in a task of an entrypoint", commis("step", "success", *WORKING))
def in_task(watch: Watch):
    node = watch.commis(worker())

    @task
    def step(state):
        return node.invoke(state)

    @entrypoint()
    def flow(state):
        return step(state).result()

    @task(name="step")
    async def astep(state):
        return await node.ainvoke(state)

    @entrypoint()
    async def aflow(state):
        return await astep(state)

    watch.run(aflow if watch.is_async else flow, ASK)
