"""Scenarios: the same work tried again."""

from __future__ import annotations

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import RetryPolicy

from tests.scenarios.expect import call, commis, llm, no_answer
from tests.scenarios.parts import (
    START,
    MessagesState,
    ScriptedModel,
    StateGraph,
    agent,
    asks,
    outer,
    ping,
    tool,
)
from tests.scenarios.running import Watch
from tests.scenarios.table import scenario

ASK = {"messages": [HumanMessage("Calculate 7*6")]}
AGAIN = RetryPolicy(max_attempts=3, initial_interval=0.001, jitter=False)
LOST = "ConnectionError: lost"


def flaky(failures: int = 1, then="fine"):
    return ScriptedModel(script=[ConnectionError("lost")] * failures + [then])


@scenario(
    "a retry policy on the commis node",
    commis(
        "research",
        "success",
        no_answer("initial", LOST),
        no_answer("initial", LOST, attempt=2),
        llm("initial", attempt=3),
        segments=3,
        attempts=3,
    ),
)
def on_the_node(watch: Watch):
    watch.run(outer(watch.commis(agent(flaky(2))), retry_policy=AGAIN), ASK)


@scenario(
    "a retry policy inside the commis",
    commis("research", "success", no_answer("initial", LOST), llm("initial", attempt=2)),
)
def inside(watch: Watch):
    watch.run(outer(watch.commis(agent(flaky(), retry=AGAIN))), ASK)


def one_call(model):
    """A graph that calls any runnable that ends in a model."""

    def think(state):
        return {"messages": [model.invoke(state["messages"])]}

    async def athink(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    def build(watch: Watch):
        builder = StateGraph(MessagesState).add_node("think", athink if watch.is_async else think)
        return builder.add_edge(START, "think").compile()

    return build


@scenario(
    "with_retry",
    commis("research", "success", no_answer("initial", LOST), llm("initial", attempt=2)),
)
def with_retry(watch: Watch):
    model = flaky().with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    model.exponential_jitter_params = {"initial": 0.001, "max": 0.001}
    watch.run(outer(watch.commis(one_call(model)(watch))), ASK)


@scenario(
    "with_fallbacks",
    commis(
        "research",
        "success",
        no_answer("initial", LOST),
        llm("initial", attempt=2, model="spare-2026", requested_model="spare"),
    ),
)
def with_fallbacks(watch: Watch):
    spare = ScriptedModel(script=["fine"], name_of_model="spare")
    model = ScriptedModel(script=[ConnectionError("lost")]).with_fallbacks([spare])
    watch.run(outer(watch.commis(one_call(model)(watch))), ASK)


@scenario(
    "invoke(None) after a failure",
    commis(
        "research",
        "success",
        no_answer("initial", LOST),
        llm("initial", attempt=2),
        segments=2,
        attempts=2,
    ),
    raises=ConnectionError,
)
def again_by_hand(watch: Watch):
    graph = outer(watch.commis(agent(flaky())), checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, None, config)


def moody():
    tries = []

    @tool
    def lookup() -> str:
        """Fail at first."""
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("lost")
        return "found"

    return lookup


@scenario(
    "the tool retry middleware",
    commis(
        "research",
        "success",
        llm(node="model"),
        call("lookup", LOST),
        call("lookup", attempt=2),
        llm("synthesis", node="model"),
    ),
)
def tool_retry(watch: Watch):
    from langchain.agents import create_agent
    from langchain.agents.middleware import ToolRetryMiddleware

    middleware = ToolRetryMiddleware(max_retries=2, initial_delay=0.001, jitter=False)
    model = ScriptedModel(script=[asks("lookup"), "done"])
    watch.run(outer(watch.commis(create_agent(model, [moody()], middleware=[middleware]))), ASK)


@scenario(
    "the model retry middleware",
    commis(
        "research",
        "success",
        no_answer("initial", LOST, node="model"),
        llm("initial", node="model", attempt=2),
    ),
)
def model_retry(watch: Watch):
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelRetryMiddleware

    middleware = ModelRetryMiddleware(max_retries=2, initial_delay=0.001, jitter=False)
    watch.run(outer(watch.commis(create_agent(flaky(), [ping], middleware=[middleware]))), ASK)
