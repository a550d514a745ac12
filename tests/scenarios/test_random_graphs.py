"""Random graphs of commis that fail, wait for humans and are cancelled: what holds for all of them.

Each seed gives one graph and one history of it. A seed that fails is named in the test's id.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy

from tests.scenarios.found import by_job, lines
from tests.scenarios.parts import ScriptedModel, agent, ask_human, asks, broken, ping
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.clock import parse_us
from zerg_visibility.store.metadata import DescendantTotals, RunningTotals

ASK = {"messages": [HumanMessage("Calculate 7*6")]}
SEEDS = range(20)


class Slow(ScriptedModel):
    """Gives way to other tasks some times before it answers."""

    turns: int = 0

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return await super()._agenerate(*args, **kwargs)


@dataclass
class Story:
    """One seed's graph and what happens to it."""

    seed: int
    store: CommisStore
    is_async: bool
    dice: random.Random = field(init=False)
    models: dict[str, str] = field(default_factory=dict)
    """Which commis each model belongs to."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def graph(self) -> Any:
        """A concierge of one to three commis."""
        return self.several(0, checkpointer=InMemorySaver())

    def several(self, depth: int, **options: Any) -> Any:
        """Commis one after the other, or side by side."""
        builder = StateGraph(MessagesState)
        before = START
        parallel = self.dice.random() < 0.4
        for number in range(self.dice.randint(1, 3)):
            name = f"d{depth}n{number}r{len(self.models)}x{self.dice.randrange(10**6)}"
            retry = None
            if self.dice.random() < 0.2:
                retry = RetryPolicy(max_attempts=2, initial_interval=0.0001, jitter=False)
            builder.add_node(name, self.commis(name, depth), retry_policy=retry)
            builder.add_edge(START if parallel else before, name)
            before = name
        return builder.compile(**options)

    def commis(self, name: str, depth: int) -> Any:
        """A commis that works, or one of commis."""
        if depth < 2 and self.dice.random() < 0.35:
            return create_commis_node(self.several(depth + 1), store=self.store)
        return create_commis_node(self.worker(name, depth), store=self.store)

    def worker(self, name: str, depth: int) -> Any:
        """A model with tools, one of which may start another commis."""
        tools = [ping, broken, ask_human]
        if depth < 2 and self.dice.random() < 0.2:
            inner = f"{name}tool"
            tools.append(
                create_commis_tool(
                    self.worker(inner, 2), name="delegate", description="d", store=self.store
                )
            )
        script: list[Any] = []
        for number in range(self.dice.randint(0, 3)):
            chosen = self.dice.choices(tools, [4, 2, 2, 3][: len(tools)])[0]
            given = {"task": "more"} if chosen.name == "delegate" else {}
            script.append(asks((chosen.name, given, f"{name}-{number}")))
        if self.dice.random() < 0.15:
            script.append(ConnectionError("lost"))
        script.append("done")
        self.models[name] = name
        model = Slow(script=script, name_of_model=name, turns=self.dice.randint(0, 6))
        return agent(model, *tools, handle=self.dice.random() < 0.8)

    async def live(self, graph: Any, config: Any) -> None:
        """Run it, cancel it at some point, answer what it asks, and try again what failed."""
        given: Any = ASK
        for _ in range(6):
            running = asyncio.ensure_future(graph.ainvoke(given, config))
            if self.dice.random() < 0.4:
                for _ in range(self.dice.randint(1, 400)):
                    await asyncio.sleep(0)
                running.cancel()
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()
            given = self.next_input(await graph.aget_state(config))
            if given is END:
                break
        # A handful of turns, so that what was cancelled can wind up.
        for _ in range(50):
            await asyncio.sleep(0)

    def live_sync(self, graph: Any, config: Any) -> None:
        """The same without being cancelled."""
        given: Any = ASK
        for _ in range(6):
            with suppress(RuntimeError, ConnectionError):
                graph.invoke(given, config)
            given = self.next_input(graph.get_state(config))
            if given is END:
                break

    def next_input(self, state: Any) -> Any:
        if (not state.next and state.values) or self.dice.random() < 0.1:
            return END
        if state.interrupts:
            answered = self.dice.sample(
                list(state.interrupts), self.dice.randint(1, len(state.interrupts))
            )
            return Command(resume={one.id: "yes" for one in answered})
        return None if state.values else ASK


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_holds_for_every_graph(seed, is_async, tmp_path):
    store, sink = CommisStore(tmp_path), MemorySink()
    handler = VisibilityCallbackHandler(store, sinks=[sink], raise_error=True)
    story = Story(seed, store, is_async)
    graph = story.graph()
    config = {
        "callbacks": [handler],
        "configurable": {"thread_id": "t"},
        "recursion_limit": 30,
    }

    if is_async:
        asyncio.run(story.live(graph, config))
    else:
        story.live_sync(graph, config)

    assert (handler.open_runs, handler.stats.failures) == (0, 0)
    records = list(lines(tmp_path))
    spans = Counter(record["span_id"] for record in records)
    assert set(spans.values()) <= {1}
    assert len(sink.records) == len(records)
    known = by_job(store)
    assert known
    for one in known:
        check(one, story, records)


def check_descendants(one: CommisMetadata, store: CommisStore) -> None:
    """Each commis below counts once, however often it was tried again or resumed."""
    every = by_job(store)
    below = [child for child in every if child.parent_commis_id == one.commis_id]
    for child in below:
        below += [other for other in every if other.parent_commis_id == child.commis_id]
    expected = DescendantTotals.sum_of(
        DescendantTotals.of(replace(child, descendants=None)) for child in below
    )
    assert one.descendants == (expected if below else None)


def check(one: CommisMetadata, story: Story, records: list[dict[str, Any]]) -> None:
    """What holds for every commis."""
    assert one.status in {"success", "failed", "cancelled", "interrupted"}
    own = story.store.records(one.commis_id)
    assert own.remark is None
    calls = [record for record in own.items if record.event != "commis_run"]

    totals = RunningTotals()
    for record in calls:
        totals.add(record)
    assert one.totals == totals.snapshot()
    assert one.totals.llm_calls == sum(record.event == "llm_call" for record in calls)
    check_descendants(one, story.store)

    # No record of another commis: each model is named for the node of its commis.
    models = {record.requested_model for record in calls if record.event == "llm_call"}
    assert models <= ({one.name} if one.name != "delegate" else models)
    assert len(models) <= 1
    assert {record.commis_id for record in calls} <= {one.commis_id}

    # One commis_run a segment, and the last of them says how it is.
    runs = [
        record
        for record in records
        if record["event"] == "commis_run" and record["commis_id"] == one.commis_id
    ]
    assert len(runs) == one.segments
    assert max(runs, key=lambda run: run["start_ts"])["status"] == one.status
    # Segments may overlap: a cancelled one winds up while the next has begun.
    worked_ms = sum(run["duration_ms"] for run in runs)
    assert worked_ms <= one.duration_ms <= worked_ms + one.segments
    until = max(run["end_ts"] for run in runs)
    assert one.wall_ms == (parse_us(until) - one.started_us) // 1000

    # What was started has ended, or waits for a human.
    folder = story.store.folder(one.commis_id)
    path = folder / "started.jsonl"
    data = path.read_bytes() if path.exists() else b""
    every = [orjson.loads(line) for line in data.splitlines()]
    started = [line for line in every if line["event"] != "commis_run"]
    below = {line["span_id"] for line in every if line["event"] == "commis_run"}
    assert below == {run.span_id for run in own.items if run.event == "commis_run"}
    ended = {record.span_id for record in calls}
    open_calls = [line["name"] for line in started if line["span_id"] not in ended]
    assert set(open_calls) <= {"ask_human", "delegate"}
    assert {line["span_id"] for line in started} >= ended
    assert (folder / "result.txt").exists() == (one.status == "success") or one.segments > 1
    assert all(
        (folder / record.output_file).stat().st_size == record.output_bytes
        for record in calls
        if record.event == "tool_call" and record.output_file
    )
