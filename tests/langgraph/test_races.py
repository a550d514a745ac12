"""Segments that overlap, calls that end late, and threads that meet in between: held there."""

from __future__ import annotations

import asyncio
import errno
import gc
import linecache
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import NodeTimeoutError
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from tests.langgraph.parts import Gate, ScriptedModel
from tests.processes import python
from zerg_visibility import (
    CommisMetadata,
    CommisRunRecord,
    CommisStore,
    MemorySink,
    Record,
    ToolCallRecord,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
    journal,
)
from zerg_visibility.clock import Clock
from zerg_visibility.commis import dossier as dossier_module
from zerg_visibility.commis.dossier import Beginning, Dossier, Turn
from zerg_visibility.commis.options import CAPTURES
from zerg_visibility.faults import FaultLog
from zerg_visibility.store import appending
from zerg_visibility.store.appending import AppendFile

HELLO = {"messages": [("user", "Calculate 7*6")]}


def one(step: Any, **compiled: Any) -> Any:
    return (
        StateGraph(MessagesState).add_node("work", step).add_edge(START, "work").compile(**compiled)
    )


def said(text: str) -> Any:
    return {"messages": [AIMessage(text)]}


class InThread:
    """A concierge whose commis works in threads, where nobody can stop it."""

    def __init__(self, store: CommisStore, work: Any, *handlers: Any) -> None:
        # No checkpoints of its own, else an attempt goes on where the one before is.
        self.commis = create_commis_node(one(work, checkpointer=False), store=store)
        self.ended = [threading.Event() for _ in range(9)]
        self.begun = 0
        builder = StateGraph(MessagesState).add_node("research", self.research)
        self.graph = builder.add_edge(START, "research").compile(checkpointer=InMemorySaver())
        self.config: Any = {"callbacks": list(handlers), "configurable": {"thread_id": "1"}}

    async def research(self, state: Any) -> Any:
        ended, self.begun = self.ended[self.begun], self.begun + 1
        return await asyncio.to_thread(self.invoke, state, ended)

    def invoke(self, state: Any, ended: threading.Event) -> Any:
        try:
            return self.commis.invoke(state)
        finally:
            ended.set()

    async def cancel_at(self, gate: Gate, given: Any = HELLO) -> None:
        """Run until a thread is held up in there, then cancel; the thread stays where it is."""
        task = asyncio.create_task(self.graph.ainvoke(given, self.config))
        assert await asyncio.to_thread(gate.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def again(self) -> Any:
        return await self.graph.ainvoke(None, self.config)

    async def let_go(self, gate: Gate, number: int = 0) -> None:
        """Let a thread go on, to the end of its segment."""
        gate.released.set()
        assert await asyncio.to_thread(self.ended[number].wait, 30)


@pytest.mark.parametrize("failing", [False, True])
async def test_an_attempt_that_ends_after_the_next_one_does_not_say_how_the_commis_is(
    failing, store, handler
):
    gate, runs = Gate(), []

    def work(_: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            gate.wait_sync()
            if failing:
                raise ValueError("the first")
            return said("the first")
        return said("the second")

    story = InThread(store, work, handler)
    await story.cancel_at(gate)
    await story.again()
    before = store.metadata(store.find(1))
    assert (before.status, before.segments) == ("success", 2)

    await story.let_go(gate)

    after = store.metadata(store.find(1))
    assert (after.status, after.error, after.finished_at) == ("success", None, before.finished_at)
    assert store.result(after.commis_id) == "the second"


class HeldUpClock:
    """Keeps a thread between finding its commis and beginning."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.thread: int | None = None

    def wall_ns(self) -> int:
        if self.thread == threading.get_ident():
            self.thread = None
            self.gate.wait_sync()
        return time.time_ns()


class NotingStore(CommisStore):
    """Tells a clock which thread has just looked for a commis."""

    clock: HeldUpClock | None = None

    def commis_of_key(self, key: str, *, on_disk: bool) -> str | None:
        found = super().commis_of_key(key, on_disk=on_disk)
        clock, self.clock = self.clock, None
        if clock is not None:
            clock.thread = threading.get_ident()
        return found


async def test_an_attempt_that_ends_while_the_next_one_is_about_to_begin(tmp_path):
    store, clock, gates, runs = NotingStore(tmp_path), HeldUpClock(), (Gate(), Gate()), []
    handler = VisibilityCallbackHandler(
        store, clock=Clock(wall_ns=clock.wall_ns, monotonic_ns=time.monotonic_ns), raise_error=True
    )

    def work(_: Any) -> Any:
        number = len(runs)
        runs.append(1)
        if number < 2:
            gates[number].wait_sync()
        return said(f"answer {number + 1}")

    story = InThread(store, work, handler)
    await story.cancel_at(gates[0])
    store.clock = clock
    second = asyncio.create_task(story.cancel_at(gates[1], None))
    assert await asyncio.to_thread(clock.gate.entered.wait, 30)
    await story.let_go(gates[0])
    clock.gate.released.set()
    await second
    await story.again()

    await story.let_go(gates[1], 1)

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.attempts) == ("success", 3, 3)
    assert store.result(after.commis_id) == "answer 3"


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


class Stubborn:
    """A concierge whose commis is cancelled while its thread goes on, and calls tools later."""

    def __init__(self, store: CommisStore, handler: Any, *late: Any, then: Any = None) -> None:
        self.gate, self.done = Gate(), threading.Event()
        self.late, self.then, self.runs = late, then, 0
        builder = StateGraph(MessagesState)
        builder.add_node("research", create_commis_node(one(self.work), store=store))
        self.graph = builder.add_edge(START, "research").compile(checkpointer=InMemorySaver())
        self.config: Any = {"callbacks": [handler], "configurable": {"thread_id": "1"}}

    def call_late(self) -> None:
        try:
            self.gate.wait_sync()
            for one_tool in self.late:
                one_tool.invoke({})
        finally:
            self.done.set()

    async def work(self, _: Any) -> Any:
        self.runs += 1
        if self.runs == 1:
            await asyncio.to_thread(self.call_late)
        if self.then is not None:
            await self.then.ainvoke({})
        return said("The result is 42.")

    async def cancel(self) -> None:
        task = asyncio.create_task(self.graph.ainvoke(HELLO, self.config))
        assert await asyncio.to_thread(self.gate.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def again(self) -> None:
        await self.graph.ainvoke(None, self.config)

    async def let_go(self) -> None:
        self.gate.released.set()
        assert await asyncio.to_thread(self.done.wait, 30)


@tool
def late() -> str:
    """Answer when nobody waits any more."""
    return "late"


@tool
def prompt() -> str:
    """Answer at once."""
    return "prompt"


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


async def test_a_commis_that_goes_on_after_its_concierge_has_ended_keeps_its_result(store, handler):
    gate = Gate()
    inner = create_commis_node(one(lambda _: said("from inside")), store=store, name="inner")

    def work(state: Any) -> Any:
        gate.wait_sync()
        inner.invoke(state)
        return said("The result is 42.")

    story = InThread(store, work, handler)
    await story.cancel_at(gate)
    await story.let_go(gate)

    outer, nested = sorted(store.recent(), key=lambda one: one.job_id or 0)
    assert (outer.status, store.result(outer.commis_id)) == ("success", "The result is 42.")
    assert (nested.status, store.result(nested.commis_id)) == ("success", "from inside")
    assert "thread.jsonl" in store.files(outer.commis_id)
    assert nested.trace_id == outer.trace_id
    assert handler.open_runs == 0


class HeldUpSink(MemorySink):
    """Keeps a thread that tells of a segment."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def emit(self, record: Record) -> None:
        if isinstance(record, CommisRunRecord):
            self.gate.wait_sync()
        super().emit(record)


async def test_every_watcher_hears_of_a_segment_though_one_more_comes_meanwhile(store, handler):
    held, began = Gate(), Gate()
    sinks = [HeldUpSink(held), HeldUpSink(held)]
    others = [VisibilityCallbackHandler(store, sinks=[sink]) for sink in sinks]
    third = VisibilityCallbackHandler(store)

    def call_late() -> None:
        began.wait_sync()
        late.invoke({}, {"callbacks": [third]})
        held.released.set()

    async def work(_: Any) -> Any:
        background.append(asyncio.create_task(asyncio.to_thread(call_late)))
        assert await asyncio.to_thread(began.entered.wait, 30)
        return said("The result is 42.")

    background: list[Any] = []
    node = create_commis_node(one(work), store=store)
    builder = StateGraph(MessagesState).add_node("research", node).add_edge(START, "research")
    running = asyncio.to_thread(
        asyncio.run, builder.compile().ainvoke(HELLO, {"callbacks": [handler, *others]})
    )
    ending = asyncio.create_task(running)
    assert await asyncio.to_thread(held.entered.wait, 30)
    began.released.set()
    await ending

    assert [sum(isinstance(r, CommisRunRecord) for r in sink.records) for sink in sinks] == [1, 1]
    assert handler.stats.failures == 0


class HeldUpId(str):
    """The id of a tool call, which keeps the thread that looks for an earlier call of this id."""

    __slots__ = ("gate",)
    gate: Gate

    def __eq__(self, other: object) -> bool:
        self.gate.wait_sync()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


async def test_a_call_begins_while_another_one_looks_for_what_was_cut_off_before_it(store, handler):
    stuck, meanwhile = Gate(), Gate()
    call_id = HeldUpId("b")
    call_id.gate = Gate()
    runs: list[int] = []

    @tool
    def wait(number: int) -> str:
        """Wait in a thread."""
        (stuck, meanwhile)[number].wait_sync()
        return "late"

    def call(one_tool: Any, call_id: str, **args: Any) -> Any:
        given = {"name": one_tool.name, "args": args, "id": call_id, "type": "tool_call"}
        return asyncio.create_task(asyncio.to_thread(one_tool.invoke, given))

    async def work(_: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            await call(wait, "a", number=0)
        looking = call(prompt, call_id)
        assert await asyncio.to_thread(call_id.gate.entered.wait, 30)
        beginning = call(wait, "c", number=1)
        assert await asyncio.to_thread(meanwhile.entered.wait, 30)
        call_id.gate.released.set()
        await looking
        meanwhile.released.set()
        await beginning
        return said("The result is 42.")

    again = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=NodeTimeoutError)
    builder = StateGraph(MessagesState).add_node("work", work, timeout=0.5, retry_policy=again)
    node = create_commis_node(builder.add_edge(START, "work").compile(), store=store)
    await node.ainvoke(HELLO, {"callbacks": [handler]})
    stuck.released.set()

    assert handler.stats.failures == 0
    assert store.metadata(store.find(1)).totals.tool_calls == 3


async def test_a_call_that_begins_after_all_has_ended_and_is_cancelled_does_not_stay_open(
    store, handler
):
    """As newer LangChain reports it of a tool in a task that nobody waits for."""
    over = asyncio.Event()

    async def linger() -> None:
        await over.wait()
        run_id = uuid4()
        handler.on_tool_start({"name": "ls"}, "", run_id=run_id)
        handler.on_tool_error(asyncio.CancelledError(), run_id=run_id)

    async def work(_: Any) -> Any:
        background.append(asyncio.create_task(linger()))
        return said("The result is 42.")

    background: list[asyncio.Task[None]] = []
    node = create_commis_node(one(work), store=store)
    builder = StateGraph(MessagesState).add_node("research", node).add_edge(START, "research")
    await builder.compile().ainvoke(HELLO, {"callbacks": [handler]})
    over.set()
    await background[0]

    assert handler.open_runs == 0
    (record,) = store.records(store.find(1)).items
    assert (record.success, record.error) == (False, "cancelled")


async def test_only_calls_until_the_first_success_are_initial(store):
    """Though two end at once, one of them held up while its record is made."""
    gate, model = Gate(), ScriptedModel(script=["fine"], name_of_model="held up")
    other = ScriptedModel(script=["fine"])

    def redact(text: str) -> str:
        if text == "held up-2026":
            gate.wait_sync()
        return text

    async def work(_: Any) -> Any:
        first = asyncio.create_task(asyncio.to_thread(model.invoke, "x"))
        assert await asyncio.to_thread(gate.entered.wait, 30)
        await other.ainvoke("x")
        gate.released.set()
        await first
        return said("The result is 42.")

    node = create_commis_node(one(work), store=store, redact=redact)
    await node.ainvoke(HELLO, {"callbacks": [VisibilityCallbackHandler(store, raise_error=True)]})

    records = store.records(store.find(1)).items
    assert sorted(record.phase for record in records) == ["initial", "synthesis"]


class AtLine:
    """Runs something in a thread the first time that it gets to a line of a module.

    It stands for the garbage collector, which may come in between anywhere, or for the scheduler.
    """

    def __init__(self, module: Any, text: str, then: Any) -> None:
        self.file, self.text, self.then = module.__file__, text, then

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != self.file:
            return None
        if event == "line" and self.text in linecache.getline(self.file, frame.f_lineno):
            sys.settrace(None)
            then, self.then = self.then, lambda: None
            then()
        return self

    def thread(self, step: Any) -> threading.Thread:
        def run() -> None:
            sys.settrace(self)
            try:
                step()
            finally:
                sys.settrace(None)

        return threading.Thread(target=run, daemon=True)


def open_handles(path: Path) -> int:
    return sum(os.path.realpath(link) == str(path) for link in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells open files on Linux only")
def test_a_file_that_is_closed_and_appended_to_at_once_is_still_among_those_to_be_closed(tmp_path):
    file = CommisStore(tmp_path).append_file(tmp_path / "late.jsonl")
    late_record = threading.Thread(target=file.append, args=(b"{}\n",), daemon=True)

    def meanwhile() -> None:
        late_record.start()
        late_record.join(0.5)  # it may have to wait for us

    file.append(b"{}\n")
    closing = AtLine(appending, "_open_files.forget(self)", meanwhile).thread(file.close)
    closing.start()
    closing.join(30)
    late_record.join(30)
    others = [
        CommisStore(tmp_path).append_file(tmp_path / f"{number}.jsonl")
        for number in range(appending.MAX_OPEN_FILES)
    ]
    for other in others:
        other.append(b"{}\n")
    handles = open_handles(file.path)
    for other in [*others, file]:
        other.close()
    assert handles == 0
    assert file.path.read_bytes() == b"{}\n{}\n"


@pytest.mark.parametrize(
    "line", ["self._files[id(file)] = file", "files = list(", "self._files.pop(id(file), None)"]
)
def test_a_stream_is_collected_while_its_file_is_opened_by_another_thread(line, tmp_path):
    store = CommisStore(tmp_path)
    mine, shared = store.append_file(tmp_path / "mine"), store.append_file(tmp_path / "shared")
    other = threading.Thread(target=shared.append, args=(b"other\n",), daemon=True)

    def collected() -> None:
        other.start()
        other.join(0.5)  # it has locked the file, and may wait for us
        shared.append(b"collected\n")

    first = AtLine(appending, line, collected).thread(lambda: (mine.append(b"{}\n"), mine.close()))
    first.start()
    first.join(20)
    other.join(20)
    assert not first.is_alive()
    assert not other.is_alive()
    shared.close()
    assert sorted(shared.path.read_bytes().splitlines()) == [b"collected", b"other"]


ELSEWHERE = """
import sys
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from zerg_visibility import *

def work(_):
    return {"messages": [AIMessage("The result is 42.")]}

graph = StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")
graph = graph.compile(checkpointer=InMemorySaver())
config = {"configurable": {"thread_id": "1"}}
graph.update_state(config, {"messages": [("user", "Calculate 7*6")]})
create_commis_node(graph, store=CommisStore(sys.argv[1])).invoke(None, config)
"""


@pytest.mark.parametrize("failing", [False, True])
def test_a_segment_that_hung_does_not_undo_what_another_process_did_since(failing, tmp_path):
    """A worker hangs, its commis is resumed by the next one, and then it wakes up after all."""
    store, gate = CommisStore(tmp_path), Gate()

    def work(_: Any) -> Any:
        gate.wait_sync()
        if failing:
            raise ConnectionError("lost")
        return said("too late")

    def hang() -> None:
        with suppress(ConnectionError):
            node.invoke(HELLO, {"configurable": {"thread_id": "1"}})

    node = create_commis_node(one(work, checkpointer=InMemorySaver()), store=store)
    hanging = threading.Thread(target=hang)
    hanging.start()
    assert gate.entered.wait(30)
    python(ELSEWHERE, tmp_path)
    before = store.metadata(store.find(1))
    assert (before.status, before.segments) == ("success", 2)

    gate.released.set()
    hanging.join(30)

    assert store.metadata(before.commis_id) == before
    assert store.result(before.commis_id) == "The result is 42."


FORKED = """
import os, sys
from pathlib import Path
from tests.scripted import calculator
from zerg_visibility import *

store, sink = CommisStore(sys.argv[1]), MemorySink()
configure_logging(sys.argv[1] + "/backend.log")
handler = VisibilityCallbackHandler(store, sinks=[sink])
stream = create_commis_node(calculator(), store=store).stream(
    {"messages": [("user", "Calculate 7*6")]}, {"callbacks": [handler]}
)
next(stream)
child = os.fork()
if child == 0:
    stream.close()  # as the garbage collector does
    os._exit(0)
os.waitpid(child, 0)
print(store.metadata(store.find(1)).status)
list(stream)
print(store.metadata(store.find(1)).status)
print(Path(sys.argv[1], "backend.log").read_text().count(" commis_complete "))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="does not fork")
def test_a_forked_child_that_leaves_does_not_end_the_commis_of_its_parent(tmp_path):
    assert python(FORKED, tmp_path).split() == ["running", "success", "1"]


class OneLine(AppendFile):
    """Cannot write one line that somebody chooses."""

    refused = b"\0"

    def append(self, line: bytes) -> None:
        if self.refused in line:
            raise OSError(errno.ENOSPC, "no space left on device")
        super().append(line)


class FullStore(CommisStore):
    """Has no space for the record of the tool `late`."""

    def append_file(self, path: Path) -> AppendFile:
        file = OneLine(path, self.modes)
        if path.name == "metrics.jsonl":
            file.refused = b'"tool":"late"'
        return file


async def test_a_late_call_that_is_lost_is_counted_though_the_next_segment_has_begun(tmp_path):
    store = FullStore(tmp_path)
    handler = VisibilityCallbackHandler(store)
    story = Stubborn(store, handler, late)
    await story.cancel()
    await story.again()

    await story.let_go()

    after = store.metadata(store.find(1))
    assert (after.segments, after.dropped_records, handler.stats.dropped_records) == (2, 1, 1)


async def test_what_a_thread_does_after_its_concierge_was_cancelled_is_in_the_same_trace(
    store, handler
):
    gate, done = Gate(), threading.Event()
    node = create_commis_node(one(lambda _: said("The result is 42.")), store=store)

    def go_on(state: Any) -> None:
        prompt.invoke({})
        gate.wait_sync()
        late.invoke({})
        node.invoke(state)
        done.set()

    async def work(state: Any) -> Any:
        await asyncio.to_thread(go_on, state)

    task = asyncio.create_task(one(work).ainvoke(HELLO, {"callbacks": [handler]}))
    assert await asyncio.to_thread(gate.entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.released.set()
    assert await asyncio.to_thread(done.wait, 30)

    (concierge,) = (store.root / "concierge").iterdir()
    lines = (concierge / "metrics.jsonl").read_bytes().splitlines()
    records = [orjson.loads(line) for line in lines]
    assert [record.get("tool") or record["name"] for record in records] == [
        "prompt",
        "late",
        "work",
    ]
    assert len({record["trace_id"] for record in records}) == 1
    assert store.metadata(store.find(1)).concierge_id == concierge.name


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


def test_a_stream_is_collected_while_a_record_of_its_commis_is_added_up_and_another_saved(store):
    beginning = Beginning(
        name="research",
        task="Calculate 7*6",
        owner_id=None,
        parent_commis_id=None,
        concierge_id=None,
        trace_id=None,
        span_id=None,
        thread_id=None,
        start_us=1_000_000,
    )
    dossier, turn = Dossier.create(store, beginning, str, CAPTURES, FaultLog()), Turn(None)
    dossier.expect(turn)
    dossier.begin_segment(turn, 1_000_000, first=True)
    record = ToolCallRecord(tool="ls", start_us=1_000_000, end_us=2_000_000, success=True)
    run = CommisRunRecord(name="research", status="cancelled", start_us=1_000_000, end_us=2_000_000)
    saving = threading.Thread(target=dossier.save_late, daemon=True)

    def collected() -> None:
        saving.start()
        saving.join(0.5)  # it has locked the dossier, and may wait for the journal
        dossier.end_segment(turn, run, 1_000_000)

    adding = AtLine(journal, "self._take(record)", collected).thread(
        lambda: dossier.journal.add(record)
    )
    adding.start()
    adding.join(20)
    assert not adding.is_alive()
    assert not saving.is_alive()
    dossier.save_late()
    after = store.metadata(dossier.commis_id)
    assert (after.status, after.totals.tool_calls) == ("cancelled", 1)
    dossier.journal.close()


class SlowStore(CommisStore):
    """Can make no directory at first, and then takes its time."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = Gate()
        self.made: list[str] = []

    def create(self, task: str, created_us: int) -> tuple[str, int]:
        raise OSError(errno.ENOSPC, "no space left on device")

    def create_as(self, commis_id: str) -> int:
        self.made.append(commis_id)
        self.gate.wait_sync()
        return super().create_as(commis_id)


async def test_a_directory_that_two_threads_wait_for_is_made_once(tmp_path, monkeypatch):
    store, waiting = SlowStore(tmp_path), Gate()

    @tool
    def twice() -> str:
        """Answer when there is somebody else who waits."""
        waiting.entered.set()
        return "done"

    async def work(_: Any) -> Any:
        monkeypatch.setattr(dossier_module, "RETRY_AFTER_S", 0.0)  # as if making it took longer
        first = asyncio.create_task(asyncio.to_thread(prompt.invoke, {}))
        assert await asyncio.to_thread(store.gate.entered.wait, 30)
        second = asyncio.create_task(asyncio.to_thread(twice.invoke, {}))
        assert await asyncio.to_thread(waiting.entered.wait, 30)
        store.gate.released.set()
        await asyncio.gather(first, second)
        return said("The result is 42.")

    handler = VisibilityCallbackHandler(store)
    await create_commis_node(one(work), store=store).ainvoke(HELLO, {"callbacks": [handler]})
    assert len(store.made) == 1
    assert handler.stats.failures == 1  # that of `create`


def test_a_commis_that_another_process_went_on_with_is_read_anew_though_it_hangs_here(tmp_path):
    store, gate, runs = CommisStore(tmp_path), Gate(), []

    def work(_: Any) -> Any:
        runs.append(1)
        number = len(runs)
        if number == 1:
            gate.wait_sync()
        prompt.invoke({})
        return said(f"answer {number}")

    config: Any = {"configurable": {"thread_id": "1"}}
    node = create_commis_node(one(work, checkpointer=InMemorySaver()), store=store)
    hanging = threading.Thread(target=lambda: node.invoke(HELLO, config))
    hanging.start()
    assert gate.entered.wait(30)
    python(ELSEWHERE, tmp_path)
    node.invoke(None, config)
    gate.released.set()
    hanging.join(30)

    after = store.metadata(store.find(1))
    assert (after.status, after.segments, after.attempts) == ("success", 3, 3)
    assert store.result(after.commis_id) == "answer 2"
