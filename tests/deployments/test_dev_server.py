"""`langgraph dev` as it comes, with its detector of blocking calls: nothing is lost there.

One test a set-up, and all that it does at once: a server takes seconds to start.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.deployments.devserver import DevServer, application, serving
from tests.scripted import json_lines
from zerg_visibility import CommisMetadata, CommisRunRecord, CommisStore, LLMCallRecord, Record
from zerg_visibility.settings import DEFAULT_LOG_PATH

CALLS = ["initial", "multiply_later", "synthesis"]
TEAM = {"sync": ["initial", "multiply", "synthesis"], "async": CALLS, "research": CALLS}
SETUPS = {"handler": {}, "alone": {}, "environment": {"ZERG_VISIBILITY": "1"}}


@pytest.mark.parametrize("setup", SETUPS)
async def test_all_that_the_server_runs_is_recorded(setup, tmp_path):
    folder = application(tmp_path / "application", SETUP=setup, **SETUPS[setup])
    with serving(folder) as server:
        async with get_client(url=server.url) as client, asyncio.TaskGroup() as group:
            group.create_task(many_in_every_way(client, folder, alone=setup == "alone"))
            group.create_task(made_by_a_factory(client, folder))
            group.create_task(interrupted_and_resumed(client, folder))
            for how in ("interrupt", "rollback", "disconnect"):
                group.create_task(stopped(client, folder, how))
            group.create_task(the_detector_is_at_work(client))
        nothing_went_wrong(server)


async def many_in_every_way(client: LangGraphClient, folder: Path, *, alone: bool) -> None:
    """Twenty runs and more at once."""
    runs = Runs(client, "team")
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            for way in (runs.wait, runs.stateless, runs.stream, runs.background, runs.two_turns):
                group.create_task(way(f"{way.__name__} {number}"))

    assert len(runs.traces) == 24
    store = CommisStore(folder / "zerg-data")
    log = (folder / DEFAULT_LOG_PATH).read_text()
    for task, trace in runs.traces.items():
        found = commis_of(store, task)
        assert calls_of(store, found) == TEAM
        for metadata in found.values():
            assert (metadata.status, metadata.dropped_records) == ("success", 0)
            assert metadata.trace_id == trace
            assert log.count(f"commis_id={metadata.commis_id} ") == len(CALLS) + 1
        [concierge_id] = {metadata.concierge_id for metadata in found.values()}
        assert (concierge_id is None) == alone
        if concierge_id is not None:
            lines = json_lines(store.root / "concierge" / concierge_id / "metrics.jsonl")
            events = Counter(line["event"] for line in lines)
            assert (events["llm_call"], events["tool_call"], events["commis_run"]) == (2, 1, 3)


async def made_by_a_factory(client: LangGraphClient, folder: Path) -> None:
    """A graph that is made in the event loop, with a store whose root is relative."""
    runs = Runs(client, "make_graph")
    await runs.wait("make me")
    store = CommisStore(folder / "made-data")
    assert calls_of(store, commis_of(store, "make me")) == TEAM


async def interrupted_and_resumed(client: LangGraphClient, folder: Path) -> None:
    """A commis that asks a human is the same one after the answer."""
    store = CommisStore(folder / "zerg-data")
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "asking", input=says("ask"))
    assert commis_of(store, "ask")["step"].status == "interrupted"
    await client.runs.wait(thread, "asking", command={"resume": "Yes, do."})
    metadata = commis_of(store, "ask")["step"]
    assert (metadata.status, metadata.segments) == ("success", 2)
    assert store.result(metadata.commis_id) == "Yes, do."
    assert metadata.thread_id == thread


async def stopped(client: LangGraphClient, folder: Path, how: str) -> None:
    """A run that is ended in the middle of a model call leaves both, and says so."""
    thread = (await client.threads.create())["thread_id"]
    created: list[str] = []
    stream = client.runs.stream(
        thread, "waiting", input=says(how), stream_mode="custom", stream_subgraphs=True,
        on_run_created=lambda run: created.append(run["run_id"]), on_disconnect="cancel",
    )  # fmt: skip
    async with aclosing(stream):
        while (await anext(stream)).data != "at work":
            pass
        if how != "disconnect":
            await client.runs.cancel(thread, *created, wait=True, action=how)
    if how == "disconnect":
        await client.runs.join(thread, *created)
    store = CommisStore(folder / "zerg-data")
    metadata = commis_of(store, how)["step"]
    [record] = store.records(metadata.commis_id).items
    assert (metadata.status, record.success, record.error) == ("cancelled", False, "cancelled")


async def the_detector_is_at_work(client: LangGraphClient) -> None:
    """Else these tests would prove nothing."""
    with pytest.raises(Exception, match="BlockingError"):
        await client.runs.wait(None, "blocking", input=says("block"))


def nothing_went_wrong(server: DevServer) -> None:
    """No handler failed at anything, none has anything open, and nobody had to say so."""
    totals = Counter[str]()
    for stats in server.stats():
        totals.update(stats)
    assert totals["records"] > 0
    assert (totals["failures"], totals["dropped_records"], totals["open_runs"]) == (0, 0, 0)
    assert server.warnings("zerg_visibility") == []
    assert "zerg_visibility could not" not in server.log


class Runs:
    """Runs of a graph; keeps the trace of the run that each task was given to."""

    def __init__(self, client: LangGraphClient, graph: str) -> None:
        self._client = client
        self._graph = graph
        self.traces: dict[str, str] = {}

    def _asked(self, task: str) -> dict[str, Any]:
        def note(run: Any) -> None:
            self.traces[task] = UUID(run["run_id"]).hex

        return {"assistant_id": self._graph, "input": says(task), "on_run_created": note}

    async def wait(self, task: str) -> None:
        thread = await self._client.threads.create()
        await self._client.runs.wait(thread["thread_id"], **self._asked(task))

    async def stateless(self, task: str) -> None:
        await self._client.runs.wait(None, **self._asked(task))

    async def stream(self, task: str) -> None:
        thread = await self._client.threads.create()
        parts = self._client.runs.stream(
            thread["thread_id"], **self._asked(task), stream_mode=["messages", "updates"],
            stream_subgraphs=True,
        )  # fmt: skip
        assert "error" not in [part.event async for part in parts]

    async def background(self, task: str) -> None:
        thread = await self._client.threads.create()
        run = await self._client.runs.create(thread["thread_id"], **self._asked(task))
        await self._client.runs.join(thread["thread_id"], run["run_id"])

    async def two_turns(self, task: str) -> None:
        thread = await self._client.threads.create()
        for turn in (f"first, {task}", task):
            await self._client.runs.wait(thread["thread_id"], **self._asked(turn))


def says(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def commis_of(store: CommisStore, task: str) -> dict[str, CommisMetadata]:
    """Give those that were given a task, by name; there is one of each."""
    found = [metadata for metadata in store.recent() if metadata.task == task]
    assert len({metadata.name for metadata in found}) == len(found)
    return {metadata.name: metadata for metadata in found}


def calls_of(store: CommisStore, found: dict[str, CommisMetadata]) -> dict[str, list[str | None]]:
    return {name: [brief(r) for r in records_of(store, one)] for name, one in found.items()}


def records_of(store: CommisStore, metadata: CommisMetadata) -> list[Record]:
    read = store.records(metadata.commis_id)
    assert read.remark is None
    return list(read.items)


def brief(record: Record) -> str | None:
    assert not isinstance(record, CommisRunRecord)
    assert record.success
    return record.phase if isinstance(record, LLMCallRecord) else record.tool
