"""Calls that end after their segment: added up once, and nothing of the next segment undone."""

from __future__ import annotations

import asyncio
import errno
import gc
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import RetryPolicy

from tests.races.stories import HELLO, HeldUpFile, Stubborn, around, late, one, prompt
from tests.scenarios.parts import Gate
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    ConciergeToolkit,
    MemorySink,
    Record,
    ToolCallRecord,
    VisibilityCallbackHandler,
    create_commis_node,
)


@pytest.mark.parametrize("how", ["retried", "resumed"])
async def test_a_late_call_of_a_cancelled_attempt_leaves_the_success_as_it_is(how, store, handler):
    story = Stubborn(store, handler, late)
    if how == "retried":
        policy = RetryPolicy(initial_interval=0.01, retry_on=lambda _: True)
        node = create_commis_node(one(story.work), store=store)
        graph = around(node, timeout=0.3, retry_policy=policy)
        await graph.ainvoke(HELLO, {"callbacks": [handler]})
    else:
        await story.cancel()
        await story.again()
    before = store.metadata(store.find(1))
    assert (before.status, before.segments, before.totals.tool_calls) == ("success", 2, 0)

    await story.let_go()

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)
    assert after.finished_at == before.finished_at
    answer = ConciergeToolkit(store=store).get_tools()[0].invoke({"job_id": 1})
    assert answer.endswith("The result is 42.")


class HeldUp(MemorySink):
    """Keeps the thread of a tool call between its line in metrics.jsonl and what comes after."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def emit(self, record: Record) -> None:
        if isinstance(record, ToolCallRecord):
            self.gate.wait_sync()
        super().emit(record)


async def test_a_late_call_that_the_next_segment_has_read_already_is_counted_once(store):
    sink = HeldUp()
    story = Stubborn(store, VisibilityCallbackHandler(store, sinks=[sink]), late)
    story.gate.released.set()
    await story.cancel_at(sink.gate)
    await story.again()
    assert store.metadata(store.find(1)).totals.tool_calls == 1

    sink.gate.released.set()
    await story.let_go()

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)
    assert len(store.records(after.commis_id).items) == 1


async def test_a_late_call_is_added_up_though_all_that_was_known_of_the_next_segment_is_collected(
    store, handler
):
    story = Stubborn(store, handler, late)
    await story.cancel()
    await story.again()
    gc.collect()

    await story.let_go()

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)


class HeldUpStore(CommisStore):
    """Keeps a thread between deciding to write a metadata.json and writing it."""

    gate: Gate | None = None

    def save_metadata(self, metadata: CommisMetadata) -> None:
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.wait_sync()
        super().save_metadata(metadata)


class Watching(Stubborn):
    """Its second run lets the late call go on and looks at the commis; the call waits for it."""

    def __init__(self, store: CommisStore, held: Gate) -> None:
        super().__init__(store, VisibilityCallbackHandler(store), late)
        self.store, self.held = store, held
        self.seen: list[CommisMetadata] = []

    async def work(self, state: Any) -> Any:
        if self.runs == 1:
            self.held.released.set()
            assert await asyncio.to_thread(self.done.wait, 30)
            self.seen.append(self.store.metadata(self.store.find(1)))
        return await super().work(state)


async def test_a_late_call_of_an_earlier_segment_leaves_the_running_one_running(tmp_path):
    store, held = HeldUpStore(tmp_path), Gate()
    story = Watching(store, held)
    await story.cancel()
    store.gate = held
    story.gate.released.set()  # the late call now ends, and waits before it writes
    assert await asyncio.to_thread(held.entered.wait, 30)
    await story.again()

    seen = [(one.status, one.segments, one.totals.tool_calls) for one in story.seen]
    assert seen == [("running", 2, 1)]
    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)


async def test_a_late_call_does_not_undo_what_a_segment_wrote_that_has_come_and_gone(tmp_path):
    store, held = HeldUpStore(tmp_path), Gate()
    story = Stubborn(store, VisibilityCallbackHandler(store, raise_error=True), late)
    await story.cancel()
    store.gate = held
    story.gate.released.set()
    assert await asyncio.to_thread(held.entered.wait, 30)
    await story.again()
    gc.collect()

    held.released.set()
    await story.let_go()

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.totals.tool_calls) == ("success", 2, 1)


async def test_outputs_of_late_calls_and_of_the_next_segment_have_numbers_of_their_own(
    store, handler
):
    story = Stubborn(store, handler, late, prompt, then=prompt)
    await story.cancel()
    await story.again()

    await story.let_go()
    await story.again()

    files = store.files(store.find(1))
    assert [name for name in files if name.startswith("tool_calls/")] == [
        "tool_calls/001_prompt.txt",
        "tool_calls/002_late.txt",
        "tool_calls/003_prompt.txt",
    ]


class FullStore(CommisStore):
    """Has no space for the record of the tool `late`."""

    def append_file(self, path: Path) -> Any:
        def refuse(line: bytes) -> None:
            if path.name == "metrics.jsonl" and b'"tool":"late"' in line:
                raise OSError(errno.ENOSPC, "no space left on device")

        return HeldUpFile(super().append_file(path), refuse)


async def test_a_late_call_that_is_lost_is_counted_though_the_next_segment_has_begun(tmp_path):
    store = FullStore(tmp_path)
    handler = VisibilityCallbackHandler(store)
    story = Stubborn(store, handler, late)
    await story.cancel()
    await story.again()

    await story.let_go()

    after = store.metadata(store.find(1))
    assert (after.segments, after.dropped_records, handler.stats.dropped_records) == (2, 1, 1)
