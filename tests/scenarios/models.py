"""Scenarios: what models say of themselves, streamed and not."""

from __future__ import annotations

from typing import Any

from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatResult
from pydantic import BaseModel

from tests.scenarios.expect import call, commis, llm
from tests.scenarios.parts import (
    USAGE,
    ScriptedModel,
    StreamingModel,
    agent,
    asks,
    outer,
    ping,
)
from tests.scenarios.retries import one_call
from tests.scenarios.running import Watch
from tests.scenarios.table import scenario

ASK = {"messages": [HumanMessage("Calculate 7*6")]}
NO_TOKENS = {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}


def streamed(stream_mode: Any, **more: Any):
    def run(watch: Watch):
        model = StreamingModel(script=[asks("ping"), "The result is 42."], **more)
        graph = outer(watch.commis(agent(model, ping)))
        options = {"stream_mode": stream_mode, "subgraphs": True}

        async def consume():
            return [c async for c in graph.astream(ASK, watch.config(), **options)]

        if watch.is_async:
            watch.run_async(consume())
        else:
            list(graph.stream(ASK, watch.config(), **options))

    return run


for mode in ("values", "updates", "custom", "debug", "tasks", ["updates", "values"]):
    scenario(
        f"streamed with stream_mode={mode}",
        commis("research", "success", llm(), call("ping"), llm("synthesis")),
    )(streamed(mode))

for mode in ("messages", ["messages", "updates"]):
    scenario(
        f"streamed with stream_mode={mode}, where LangChain streams the model too",
        commis("research", "success", llm(ttft=True), call("ping"), llm("synthesis", ttft=True)),
    )(streamed(mode))

scenario(
    "streamed by a server that counts no tokens",
    commis(
        "research",
        "success",
        llm(ttft=True, **NO_TOKENS),
        call("ping"),
        llm("synthesis", ttft=True, **NO_TOKENS),
    ),
)(streamed("messages", usage=None))


@scenario(
    "astream_events",
    commis("research", "success", llm(ttft=True), call("ping"), llm("synthesis", ttft=True)),
    kinds=(True,),
)
def events(watch: Watch):
    model = StreamingModel(script=[asks("ping"), "The result is 42."])
    graph = outer(watch.commis(agent(model, ping)))

    async def consume():
        return [e async for e in graph.astream_events(ASK, watch.config(), version="v2")]

    watch.run_async(consume())


@scenario(
    "a model without a name and without usage",
    commis("research", "success", llm(model=None, requested_model=None, **NO_TOKENS)),
)
def nameless(watch: Watch):
    watch.run(outer(watch.commis(one_call(FakeListChatModel(responses=["x"]))(watch))), ASK)


@scenario(
    "an old-style model that gives text",
    commis("research", "success", llm(model=None, requested_model=None, **NO_TOKENS)),
)
def old_style(watch: Watch):
    watch.run(outer(watch.commis(one_call(FakeListLLM(responses=["x"]))(watch))), ASK)


@scenario(
    "tokens from the provider's cache, and of hidden reasoning",
    commis("research", "success", llm(cached_tokens=8, reasoning_tokens=3)),
)
def detailed_usage(watch: Watch):
    details = {
        "input_token_details": {"cache_read": 8},
        "output_token_details": {"reasoning": 3},
    }
    model = ScriptedModel(script=["x"], usage={**USAGE, **details})
    watch.run(outer(watch.commis(agent(model))), ASK)


class TwoCandidates(ScriptedModel):
    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        one, two = super()._generate(messages), super()._generate(messages)
        return ChatResult(
            generations=[*one.generations, *two.generations],
            llm_output={"model_name": "scripted-2026"},
        )

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)


@scenario(
    "two candidates in one call count their tokens once", commis("research", "success", llm())
)
def two_candidates(watch: Watch):
    watch.run(outer(watch.commis(agent(TwoCandidates(script=["a", "b"])))), ASK)


@scenario(
    "an answer from LangChain's cache spends nothing",
    commis("research", "success", llm()),
    commis("research", "success", llm("initial", cache_hit=True, **NO_TOKENS)),
)
def cached(watch: Watch):
    set_llm_cache(InMemoryCache())
    try:
        graph = outer(watch.commis(agent(ScriptedModel(script=["x"]))))
        watch.run(graph, ASK)
        watch.run(graph, ASK)
    finally:
        set_llm_cache(None)


class Verdict(BaseModel):
    """A verdict."""

    good: bool


@scenario(
    "structured output by a tool call is a synthesis",
    commis("research", "success", llm(), llm("synthesis")),
)
def structured(watch: Watch):
    from tests.scenarios.parts import START, MessagesState, StateGraph

    answer = asks(("Verdict", {"good": True}, "v1"))
    model = ScriptedModel(script=["first", answer])
    judge = model.with_structured_output(Verdict)

    def think(state):
        first = model.invoke("x")
        assert judge.invoke("y") == Verdict(good=True)
        return {"messages": [first]}

    async def athink(state):
        first = await model.ainvoke("x")
        assert await judge.ainvoke("y") == Verdict(good=True)
        return {"messages": [first]}

    builder = StateGraph(MessagesState).add_node("think", athink if watch.is_async else think)
    watch.run(outer(watch.commis(builder.add_edge(START, "think").compile())), ASK)


@scenario(
    "a phase that the user names, by metadata and by tag",
    commis("research", "success", llm("summary"), llm("plan")),
)
def named_phase(watch: Watch):
    from tests.scenarios.parts import START, MessagesState, StateGraph

    model = ScriptedModel(script=["a", "b"])
    summary = model.with_config(metadata={"zerg_phase": "summary"})
    plan = model.with_config(tags=["phase:plan"])

    def think(state):
        return {"messages": [summary.invoke("x"), plan.invoke("y")]}

    async def athink(state):
        return {"messages": [await summary.ainvoke("x"), await plan.ainvoke("y")]}

    builder = StateGraph(MessagesState).add_node("think", athink if watch.is_async else think)
    watch.run(outer(watch.commis(builder.add_edge(START, "think").compile())), ASK)
