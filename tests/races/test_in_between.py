"""What the scheduler or the garbage collector does between any two lines of ours.

Everything goes through what is public: hooks of a handler, streams of a commis, files of a store.
"""

from __future__ import annotations

import asyncio
import errno
import io
import itertools
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.outputs import LLMResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph
from langgraph.types import Command, interrupt

import zerg_visibility
from tests.races.stories import HELLO, late, one, prompt, said
from tests.scenarios.parts import Gate
from zerg_visibility import (
    CommisStore,
    MemorySink,
    Record,
    ToolCallRecord,
    VisibilityCallbackHandler,
    create_commis_node,
)

PACKAGE = str(Path(zerg_visibility.__file__).parent)


class InBetween(threading.Thread):
    """Does something in a thread, and something else before the nth line of ours that it gets to.

    That stands for the garbage collector, which may come in between anywhere, or for the scheduler.

    Args:
        number: Before which line, from 0 on.
        step: What to do.
        then: What to do in between.
    """

    def __init__(self, number: int, step: Callable[[], None], then: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.left, self.step, self.then = number, step, then
        self.came = False

    def run(self) -> None:
        sys.settrace(self.traced)
        try:
            self.step()
        finally:
            sys.settrace(None)

    def traced(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                frame.f_trace = None
                self.came = True
                self.then()
                return None
        return self.traced


def end(*threads: threading.Thread) -> None:
    """See that none of them waits for another for good."""
    for thread in threads:
        thread.join(20)
    if any(thread.is_alive() for thread in threads):
        # What they have locked stays so: every other test of this process would hang, and its end
        # as well. pytest prints what each thread is doing.
        os.abort()


def for_each_line(happens: Callable[[int], bool]) -> None:
    """Try it before every line; it says whether there was such a line."""
    numbers = itertools.count()
    while happens(next(numbers)):
        pass
    assert next(numbers) > 3  # there were some


LET_IT_COME_FAR_S = 0.03
"""For a thread that may have to wait for us, so that nothing tells when it has come far enough."""


def open_handles(path: Path) -> int:
    """Count them, where the system tells."""
    if not Path("/proc/self/fd").exists():
        return 0
    return sum(os.path.realpath(link) == str(path) for link in Path("/proc/self/fd").iterdir())


MORE_THAN_STAY_OPEN = 80


def test_a_file_that_is_closed_and_appended_to_at_once_is_still_among_those_to_be_closed(tmp_path):
    store = CommisStore(tmp_path)

    def happens(number: int) -> bool:
        file = store.append_file(tmp_path / f"late {number}.jsonl")
        late_record = threading.Thread(target=file.append, args=(b"{}\n",), daemon=True)

        def meanwhile() -> None:
            late_record.start()
            late_record.join(LET_IT_COME_FAR_S)

        file.append(b"{}\n")
        closing = InBetween(number, file.close, meanwhile)
        closing.start()
        end(closing)
        if closing.came:
            end(late_record)
        others = [store.append_file(tmp_path / f"{n}.jsonl") for n in range(MORE_THAN_STAY_OPEN)]
        for other in others:
            other.append(b"{}\n")
        handles = open_handles(file.path)
        for other in [*others, file]:
            other.close()
        assert handles == 0
        assert file.path.read_bytes() == b"{}\n" * (1 + closing.came)
        return closing.came

    for_each_line(happens)


def test_a_stream_is_collected_while_its_file_is_opened_by_another_thread(tmp_path):
    store = CommisStore(tmp_path)

    def happens(number: int) -> bool:
        mine = store.append_file(tmp_path / f"mine {number}")
        shared = store.append_file(tmp_path / f"shared {number}")
        other = threading.Thread(target=shared.append, args=(b"other\n",), daemon=True)

        def write_and_close() -> None:
            mine.append(b"{}\n")
            mine.close()

        def collected() -> None:
            other.start()
            other.join(LET_IT_COME_FAR_S)
            shared.append(b"collected\n")
            mine.append(b"collected\n")

        first = InBetween(number, write_and_close, collected)
        first.start()
        end(first)
        if first.came:
            end(other)
            for file in (shared, mine):
                file.close()
                assert open_handles(file.path) == 0
            assert sorted(mine.path.read_bytes().splitlines()) == [b"collected", b"{}"]
            assert sorted(shared.path.read_bytes().splitlines()) == [b"collected", b"other"]
        return first.came

    for_each_line(happens)


class Hooks:
    """A handler without files, called as LangChain calls it."""

    def __init__(self) -> None:
        self.sink = MemorySink()
        self.handler = VisibilityCallbackHandler(sinks=[self.sink])

    def start(self, parent: UUID | None = None) -> UUID:
        run_id = uuid4()
        self.handler.on_chain_start({}, {}, run_id=run_id, parent_run_id=parent)
        return run_id

    def end(self, run_id: UUID) -> None:
        self.handler.on_chain_end({}, run_id=run_id)

    def trace_of_a_call_in(self, run_id: UUID) -> str | None:
        """Give the trace of a call that is made from inside of a run, be it over or not."""
        call = uuid4()
        self.handler.on_chat_model_start({}, [[]], run_id=call, parent_run_id=run_id)
        self.handler.on_llm_end(LLMResult(generations=[]), run_id=call)
        return self.sink.records[-1].trace_id


def test_the_run_that_started_first_ends_while_room_is_made_for_another():
    hooks = Hooks()
    handler = hooks.handler
    in_order = iter([hooks.start() for _ in range(500)])
    root = hooks.start()

    def fill() -> int:
        """Start runs until that ends others."""
        before = -1
        while handler.open_runs > before:
            before = handler.open_runs
            hooks.start(root)
        return before

    most = fill()

    def end_the_oldest() -> None:
        before = handler.open_runs
        while handler.open_runs == before:
            hooks.end(next(in_order))

    def happens(number: int) -> bool:
        starting = InBetween(number, hooks.start, end_the_oldest)
        starting.start()
        end(starting)
        assert handler.stats.failures == 0
        assert handler.open_runs <= most
        assert fill() == most
        return starting.came

    for_each_line(happens)


def remembered_at_least() -> int:
    """Count the runs that end until the first of them is half forgotten."""
    hooks = Hooks()
    root = hooks.start()
    trace, first, count = hooks.trace_of_a_call_in(root), hooks.start(root), 1
    hooks.end(first)
    while hooks.trace_of_a_call_in(first) == trace:
        hooks.end(hooks.start(root))
        count += 1
    return count // 2


def test_what_has_just_ended_is_remembered_though_two_threads_make_room_at_once():
    count = remembered_at_least()

    def happens(number: int) -> bool:
        hooks = Hooks()
        root = hooks.start()
        trace = hooks.trace_of_a_call_in(root)
        first, *others, last, next_to_last, very_last = [
            hooks.start(root) for _ in range(count + 2)
        ]
        for run_id in (first, *others):
            hooks.end(run_id)
        found = []

        def end_others() -> None:
            found.append(hooks.trace_of_a_call_in(first))
            hooks.end(next_to_last)
            hooks.end(very_last)

        other = threading.Thread(target=end_others, daemon=True)

        def meanwhile() -> None:
            other.start()
            other.join(LET_IT_COME_FAR_S)

        ending = InBetween(number, lambda: hooks.end(last), meanwhile)
        ending.start()
        end(ending)
        if not ending.came:
            meanwhile()
        end(other)
        found += map(hooks.trace_of_a_call_in, (first, last, next_to_last, very_last))
        assert set(found) == {trace}
        return ending.came

    for_each_line(happens)


def test_two_threads_begin_the_files_of_a_concierge(store):
    handler = VisibilityCallbackHandler(store)

    def happens(number: int) -> bool:
        root = uuid4()
        handler.on_chain_start({}, {}, run_id=root, name="planner")

        def start_a_call(name: str) -> None:
            handler.on_tool_start({"name": name}, "", run_id=uuid4(), parent_run_id=root)

        other = threading.Thread(target=start_a_call, args=("other",), daemon=True)

        def meanwhile() -> None:
            other.start()
            other.join(LET_IT_COME_FAR_S)

        first = InBetween(number, lambda: start_a_call("first"), meanwhile)
        first.start()
        end(first)
        if first.came:
            end(other)
        handler.on_chain_end({}, run_id=root)
        [path] = set(store.root.glob("concierge/*/started.jsonl")) - seen
        seen.add(path)
        names = [json.loads(line)["name"] for line in path.read_bytes().splitlines()]
        assert sorted(names) == sorted(["planner", "first", *["other"] * first.came])
        return first.came

    seen: set[Path] = set()
    for_each_line(happens)
    assert (handler.open_runs, handler.stats.failures) == (0, 0)


class Steps:
    """A commis of three steps, which leaves open what it was doing in each."""

    def __init__(self, store: CommisStore, handler: VisibilityCallbackHandler) -> None:
        self.contexts: list[Context] = []
        builder = StateGraph(MessagesState).add_sequence(
            [(name, self.step) for name in ("first", "second", "third")]
        )
        graph = builder.set_entry_point("first").compile(checkpointer=InMemorySaver())
        self.node = create_commis_node(graph, store=store)
        self.config: Any = {"callbacks": [handler], "configurable": {"thread_id": uuid4().hex}}

    def step(self, _: Any) -> Any:
        self.contexts.append(copy_context())
        return said("The result is 42.")

    def stream(self, given: Any) -> Any:
        """Begin a segment, and stop it after its next step, once that is in a checkpoint."""
        known = len(self.contexts)
        stream = self.node.stream(given, self.config, stream_mode="values", durability="sync")
        while len(self.contexts) == known:
            next(stream)
        return stream


class HeldUpSink(MemorySink):
    """Keeps the thread of a late call between its line in metrics.jsonl and what comes after."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def emit(self, record: Record) -> None:
        if isinstance(record, ToolCallRecord) and record.tool == late.name:
            self.gate.wait_sync()


def test_a_stream_is_collected_while_a_call_of_its_commis_ends_and_a_late_one_is_added_up(store):
    sink = HeldUpSink()
    handler = VisibilityCallbackHandler(store, sinks=[sink])

    def happens(number: int) -> bool:
        gate = sink.gate = Gate()
        steps = Steps(store, handler)
        before, stream = steps.stream(HELLO), steps.stream(None)
        before.close()
        of_first, of_second = steps.contexts
        late_call = threading.Thread(target=of_first.run, args=(late.invoke, {}), daemon=True)
        late_call.start()
        assert gate.entered.wait(20)
        run_id = uuid4()
        of_second.run(lambda: handler.on_tool_start({"name": "ls"}, "", run_id=run_id))

        def collected() -> None:
            gate.released.set()
            late_call.join(LET_IT_COME_FAR_S)
            stream.close()

        def end_the_call() -> None:
            of_second.run(lambda: handler.on_tool_end("fine", run_id=run_id))

        ending = InBetween(number, end_the_call, collected)
        ending.start()
        end(ending)
        if not ending.came:
            collected()
        end(late_call)
        after = next(store.recent())
        assert (after.status, after.segments, after.totals.tool_calls) == ("cancelled", 2, 2)
        return ending.came

    for_each_line(happens)
    assert (handler.open_runs, handler.stats.failures) == (0, 0)


@pytest.fixture
def log() -> logging.StreamHandler[io.StringIO]:
    """A log of diagnostics, as programs have it; another fixture takes it away again."""
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger("zerg_visibility").addHandler(handler)
    return handler


def collect_while_logging(
    log: logging.StreamHandler[io.StringIO], has_a_fault: Callable[[], Any], stream: Any
) -> None:
    """Close a stream while the log is locked for a line, and another thread has one for it."""
    comes_to_log = threading.Event()
    other = threading.Thread(target=has_a_fault, daemon=True)

    def note(record: logging.LogRecord) -> bool:
        if "could not" in record.msg and threading.current_thread() is other:
            comes_to_log.set()
        return True

    def write_a_line() -> None:
        with log.lock:
            other.start()
            assert comes_to_log.wait(20)
            stream.close()

    log.addFilter(note)
    writing = threading.Thread(target=write_a_line, daemon=True)
    writing.start()
    end(writing, other)
    assert comes_to_log.is_set()


def test_a_stream_is_collected_while_a_continued_commis_turns_out_to_be_unreadable(store, log):
    handler = VisibilityCallbackHandler(store)
    continued, collected = Steps(store, handler), Steps(store, handler)
    continued.stream(HELLO).close()
    (store.folder(1) / "metadata.json").write_text("{")

    def go_on() -> None:
        continued.node.invoke(None, continued.config)

    collect_while_logging(log, go_on, collected.stream(HELLO))

    assert " of a commis that continues: MetadataUnreadableError" in log.stream.getvalue()
    assert (store.metadata(1).status, store.metadata(2).status) == ("success", "cancelled")


def test_a_stream_is_collected_while_the_directory_of_its_commis_cannot_be_made(
    tmp_path, log, let_pass
):
    in_the_way = tmp_path / "data"
    in_the_way.touch()
    store = CommisStore(in_the_way)
    handler = VisibilityCallbackHandler(store)
    steps = Steps(store, handler)
    stream = steps.stream(HELLO)
    let_pass(100)  # since it was tried to make one, and since that was logged

    collect_while_logging(log, lambda: steps.contexts[0].run(prompt.invoke, {}), stream)

    said_so = log.stream.getvalue().count("could not create a commis's directory")
    assert said_so == 2
    assert handler.open_runs == 0


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


async def test_a_directory_that_two_threads_wait_for_is_made_once(tmp_path, let_pass):
    store, waiting = SlowStore(tmp_path), Gate()

    @tool
    def twice() -> str:
        """Answer when there is somebody else who waits."""
        waiting.entered.set()
        return "done"

    async def work(_: Any) -> Any:
        let_pass(100)
        first = asyncio.create_task(asyncio.to_thread(prompt.invoke, {}))
        assert await asyncio.to_thread(store.gate.entered.wait, 30)
        let_pass(100)  # as if making it took longer
        second = asyncio.create_task(asyncio.to_thread(twice.invoke, {}))
        assert await asyncio.to_thread(waiting.entered.wait, 30)
        store.gate.released.set()
        await asyncio.gather(first, second)
        return said("The result is 42.")

    handler = VisibilityCallbackHandler(store)
    await create_commis_node(one(work), store=store).ainvoke(HELLO, {"callbacks": [handler]})
    assert len(store.made) == 1
    assert handler.stats.failures == 1  # that of `create`


def test_a_commis_goes_on_in_another_thread_while_its_segment_ends(tmp_path):
    @tool
    def look() -> str:
        """Look."""
        return "seen"

    def happens(number: int) -> bool:
        handler = VisibilityCallbackHandler(store := CommisStore(tmp_path / str(number)))
        has_begun, may_end = threading.Event(), threading.Event()

        def work(_: Any) -> Any:
            look.invoke({})
            interrupt("go on?")
            has_begun.set()
            may_end.wait(20)
            return said("done")

        builder = StateGraph(MessagesState).add_node("work", work).set_entry_point("work")
        node = create_commis_node(builder.compile(checkpointer=InMemorySaver()), store=store)
        config = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
        stream = node.stream(HELLO, config)
        next(stream)
        other = threading.Thread(
            target=node.invoke, args=(Command(resume="yes"), config), daemon=True
        )

        def go_on() -> None:
            other.start()
            has_begun.wait(LET_IT_COME_FAR_S)

        ending = InBetween(number, lambda: list(stream), go_on)
        ending.start()
        end(ending)
        if not ending.came:
            go_on()
        may_end.set()
        end(other)
        found = store.metadata(1)
        assert (found.status, found.segments, found.totals.tool_calls) == ("success", 2, 2)
        assert [run.status for run in found.runs] == ["interrupted", "success"]
        assert store.result(1) == "done"
        assert (handler.open_runs, handler.stats.failures) == (0, 0)
        return ending.came

    for_each_line(happens)
