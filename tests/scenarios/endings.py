"""Scenarios: ends that LangChain reports late, oddly or not at all."""

from __future__ import annotations

import asyncio
import threading

from langchain_core.messages import HumanMessage
from langgraph.errors import NodeTimeoutError
from langgraph.types import RetryPolicy

from tests.scenarios.expect import call, commis, llm, no_answer
from tests.scenarios.parts import (
    Gate,
    ScriptedModel,
    StreamingModel,
    agent,
    asks,
    outer,
    ping,
    tool,
)
from tests.scenarios.running import Watch
from tests.scenarios.shapes import spread
from tests.scenarios.table import scenario

ASK = {"messages": [HumanMessage("Calculate 7*6")]}
ASYNC = {"kinds": (True,)}


def waiting_tool(gate: Gate):
    @tool
    async def wait() -> str:
        """Wait until cancelled."""
        await gate.wait()
        return "never"

    return wait


def waiting_sync_tool(gate: Gate):
    @tool
    def wait() -> str:
        """Wait in a thread, where nothing can be cancelled."""
        gate.wait_sync()
        return "late"

    return wait


async def cancel_when(entered: threading.Event, running):
    """Cancel a run once it is where the scenario wants it."""
    run = asyncio.ensure_future(running)
    while not entered.is_set():
        await asyncio.sleep(0)
    run.cancel()
    await run


def in_model():
    gate = Gate()
    return gate, agent(ScriptedModel(script=[gate])), (no_answer(),)


def in_streaming_model():
    gate = Gate()

    class StopsAfterAWord(StreamingModel):
        async def _astream(self, *args, **kwargs):
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk
                await gate.wait()

    return gate, agent(StopsAfterAWord(script=["hello there"])), (no_answer(ttft=True),)


def in_tool():
    gate = Gate()
    model = ScriptedModel(script=[asks("wait"), "done"])
    return gate, agent(model, waiting_tool(gate)), (llm(), call("wait", "cancelled"))


PLACES = {"an async LLM call": in_model, "an async tool": in_tool}


def ended(name: str, status: str, place, reason: str, run, **options):
    """A row in which a call is cut off in the middle."""

    def row(watch: Watch):
        gate, graph, _ = place()
        run(watch, gate, graph)

    _, _, records = place()
    records = tuple(
        {**record, "error": reason} if record.get("error") else record for record in records
    )
    scenario(name, commis("research", status, *records), **{**ASYNC, **options})(row)


def by_cancel(watch: Watch, gate, graph):
    running = outer(watch.commis(graph)).ainvoke(ASK, watch.config())
    watch.run_async(cancel_when(gate.entered, running))


def by_timeout(watch: Watch, gate, graph):
    async def limited():
        async with asyncio.timeout(0.3):
            await outer(watch.commis(graph)).ainvoke(ASK, watch.config())

    watch.run_async(limited())


def by_outer_step_timeout(watch: Watch, gate, graph):
    concierge = outer(watch.commis(graph))
    concierge.step_timeout = 0.3
    watch.run_async(concierge.ainvoke(ASK, watch.config()))


def by_own_step_timeout(watch: Watch, gate, graph):
    graph.step_timeout = 0.3
    watch.run_async(outer(watch.commis(graph)).ainvoke(ASK, watch.config()))


def by_node_timeout(watch: Watch, gate, graph):
    async def limited():
        concierge = outer(watch.commis(graph), timeout=0.3)
        try:
            await concierge.ainvoke(ASK, watch.config())
        finally:
            # LangGraph raises before the commis has ended; its task ends in the next turns.
            for _ in range(20):
                await asyncio.sleep(0)

    watch.run_async(limited())


for where, place in PLACES.items():
    cut = asyncio.CancelledError
    ended(f"task.cancel() during {where}", "cancelled", place, "cancelled", by_cancel, raises=cut)
    ended(
        f"asyncio.timeout during {where}",
        "cancelled",
        place,
        "cancelled",
        by_timeout,
        raises=TimeoutError,
    )
    ended(
        f"the concierge's step_timeout during {where}",
        "cancelled",
        place,
        "cancelled",
        by_outer_step_timeout,
        raises=TimeoutError,
    )
    ended(
        f"a node timeout on the commis during {where}",
        "cancelled",
        place,
        "cancelled",
        by_node_timeout,
        raises=NodeTimeoutError,
    )


for where, place in PLACES.items():
    _, _, known = place()
    timed = tuple({**r, "error": "timeout"} if r.get("error") else r for r in known)

    def row(watch: Watch, place=place):
        gate, graph, _ = place()
        by_own_step_timeout(watch, gate, graph)

    scenario(
        f"the commis's own step_timeout during {where}",
        commis("research", "timeout", *timed, error="TimeoutError"),
        raises=TimeoutError,
        **ASYNC,
    )(row)


ended(
    "task.cancel() during a streamed LLM call",
    "cancelled",
    in_streaming_model,
    "cancelled",
    lambda watch, gate, graph: watch.run_async(
        cancel_when(gate.entered, _consume(outer(watch.commis(graph)), watch))
    ),
    raises=asyncio.CancelledError,
)


async def _consume(graph, watch: Watch):
    async for _ in graph.astream(ASK, watch.config(), stream_mode="messages", subgraphs=True):
        pass


@scenario(
    "a node timeout inside the commis, then a retry",
    commis("research", "success", no_answer("initial", "timeout"), llm("initial", attempt=2)),
    **ASYNC,
)
def inner_node_timeout(watch: Watch):
    again = RetryPolicy(
        max_attempts=2, initial_interval=0.001, jitter=False, retry_on=NodeTimeoutError
    )
    worker = agent(ScriptedModel(script=[Gate(), "fine"]), retry=again, timeout=0.3)
    watch.run(outer(watch.commis(worker)), ASK)


@scenario(
    "a sibling's failure during an async LLM call",
    commis("research", "cancelled", no_answer()),
    commis("research", "failed", no_answer("initial", "ValueError: no"), error="ValueError: no"),
    raises=ValueError,
    any_order=True,
    **ASYNC,
)
def sibling(watch: Watch):
    gate = Gate()

    async def fail_then():
        while not gate.entered.is_set():
            await asyncio.sleep(0)
        raise ValueError("no")

    model = ScriptedModel(script=[gate, fail_then])
    watch.run(spread(watch, watch.commis(agent(model)), 2), ASK)


@scenario(
    "task.cancel() during a sync tool, which ends later all the same",
    commis("research", "cancelled", llm(), call("wait", "cancelled")),
    raises=asyncio.CancelledError,
    late_ends=1,
    **ASYNC,
)
def sync_tool_cancelled(watch: Watch):
    gate = Gate()
    model = ScriptedModel(script=[asks("wait"), "done"])
    graph = outer(watch.commis(agent(model, waiting_sync_tool(gate))))

    async def run():
        try:
            await cancel_when(gate.entered, graph.ainvoke(ASK, watch.config()))
        finally:
            gate.released.set()

    watch.run_async(run())


@scenario(
    "a stream closed early by its reader: the commis had run to its end",
    commis("research", "success", llm(), call("ping"), llm("synthesis")),
    kinds=(False,),
)
def closed_early(watch: Watch):
    worker = agent(ScriptedModel(script=[asks("ping"), "done"]), ping)
    graph = outer(watch.commis(worker))
    stream = graph.stream(ASK, watch.config(), stream_mode="updates", subgraphs=True)
    next(stream)
    stream.close()


@scenario(
    "a stream of a commis on its own, closed early by its reader",
    commis("LangGraph", "cancelled", llm()),
)
def own_stream_closed(watch: Watch):
    worker = agent(ScriptedModel(script=[asks("ping"), "done"]), ping)
    node = watch.commis(worker)
    if watch.is_async:

        async def some():
            stream = node.astream(ASK, watch.config(), stream_mode="updates")
            await anext(stream)
            await stream.aclose()

        watch.run_async(some())
    else:
        stream = node.stream(ASK, watch.config(), stream_mode="updates")
        next(stream)
        stream.close()


@scenario(
    "a model call that the node itself gives up on",
    commis("research", "success", llm(), no_answer(None)),
    **ASYNC,
)
def given_up(watch: Watch):
    from tests.scenarios.parts import START, MessagesState, StateGraph

    model = ScriptedModel(script=["fine", Gate()])

    async def think(state):
        answer = await model.ainvoke("x")
        try:
            async with asyncio.timeout(0.2):
                await model.ainvoke("y")
        except TimeoutError:
            pass
        return {"messages": [answer]}

    builder = StateGraph(MessagesState).add_node("think", think).add_edge(START, "think")
    watch.run(outer(watch.commis(builder.compile())), ASK)
