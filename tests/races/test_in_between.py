"""What the scheduler or the garbage collector does between any two lines of ours."""

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
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

import zerg_visibility
from tests.races.stories import HELLO, one, prompt, said
from tests.scenarios.parts import Gate
from zerg_visibility import (
    CommisMetadata,
    CommisRunRecord,
    CommisStore,
    MetadataUnreadableError,
    ToolCallRecord,
    VisibilityCallbackHandler,
    create_commis_node,
)
from zerg_visibility.callbacks import open_runs as table_module
from zerg_visibility.callbacks.builder import RecordBuilder
from zerg_visibility.callbacks.concierge import ConciergeFiles
from zerg_visibility.callbacks.open_runs import OpenRuns
from zerg_visibility.callbacks.runs import ActiveSegment, OpenRun, RootRun
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.commis import live as dossier_module
from zerg_visibility.commis.live import LiveCommis
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.records.started import started
from zerg_visibility.store.appending import MAX_OPEN_FILES
from zerg_visibility.store.layout import concierge_dir
from zerg_visibility.store.runs import SegmentRun

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
        # What they have locked stays so: every other test of this process would hang.
        pytest.exit("a deadlock: see the test that was running", returncode=1)


def for_each_line(happens: Callable[[int], bool]) -> None:
    """Try it before every line; it says whether there was such a line."""
    numbers = itertools.count()
    while happens(next(numbers)):
        pass
    assert next(numbers) > 3  # there were some


LET_IT_COME_FAR_S = 0.03
"""For a thread that may have to wait for us, so that nothing tells when it has come far enough."""


def open_handles(path: Path) -> int:
    return sum(os.path.realpath(link) == str(path) for link in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells open files on Linux only")
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
        others = [store.append_file(tmp_path / f"{n}.jsonl") for n in range(MAX_OPEN_FILES)]
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

        first = InBetween(number, write_and_close, collected)
        first.start()
        end(first)
        if first.came:
            end(other)
            shared.close()
            assert sorted(shared.path.read_bytes().splitlines()) == [b"collected", b"other"]
        return first.came

    for_each_line(happens)


def test_the_oldest_run_is_found_while_it_ends():
    def happens(number: int) -> bool:
        table, root = OpenRuns(), RootRun(1, 0)
        for run_id in (1, 2):
            table.add_chain(run_id, OpenRun(root, None))
        found: list[int] = []
        looking = InBetween(
            number, lambda: found.append(table.oldest()[0]), lambda: table.pop_chain(1)
        )
        looking.start()
        end(looking)
        assert set(found) <= {1, 2}
        assert len(found) == 1
        return looking.came

    for_each_line(happens)


def test_what_has_just_ended_is_remembered_though_two_threads_make_room_at_once(monkeypatch):
    monkeypatch.setattr(table_module, "ENDED_REMEMBERED", 3)

    def happens(number: int) -> bool:
        table, root = OpenRuns(), RootRun(1, 0)
        for run_id in (1, 2, 3, 4):
            table.add_chain(run_id, OpenRun(root, None))
        for run_id in (1, 2):
            table.pop_chain(run_id)
        found: list[Any] = []

        def meanwhile() -> None:
            found.append(table.get_ended(1))
            table.pop_chain(4)

        ending = InBetween(number, lambda: table.pop_chain(3), meanwhile)
        ending.start()
        end(ending)
        assert None not in [*found, table.get_ended(1), table.get_ended(3)]
        return ending.came

    for_each_line(happens)


def test_two_threads_begin_the_files_of_a_concierge(store):
    def happens(number: int) -> bool:
        root = RootRun(number + 1, 0)
        root.name = "planner"
        builder = RecordBuilder(Diagnostics(), None, ())
        files = ConciergeFiles(store, str, builder, Diagnostics(), SYSTEM_CLOCK)

        def start_a_call(name: str) -> None:
            files.run_log(root).start(started("tool_call", name, "ab" * 8, 0, root.span_id))

        other = threading.Thread(target=start_a_call, args=("other",), daemon=True)

        def meanwhile() -> None:
            other.start()
            other.join(LET_IT_COME_FAR_S)

        first = InBetween(number, lambda: start_a_call("first"), meanwhile)
        first.start()
        end(first)
        if first.came:
            end(other)
            files.run_log(root).close()
            path = concierge_dir(store.root, root.concierge_id) / "started.jsonl"
            names = [json.loads(line)["name"] for line in path.read_bytes().splitlines()]
            assert sorted(names) == ["first", "other", "planner"]
        return first.came

    for_each_line(happens)


def new_commis(store: CommisStore, *, in_folder: bool = True) -> LiveCommis:
    commis_id, job_id = "1970-01-01T00-00-01_calculate-7-6", None
    if in_folder:
        commis_id, job_id = store.create("Calculate 7*6", 1_000_000)
    metadata = CommisMetadata(commis_id=commis_id, job_id=job_id, name="research")
    return LiveCommis(store, commis_id, Diagnostics(), metadata)


def expected_segment(live: LiveCommis) -> ActiveSegment:
    segment = ActiveSegment(
        commis_id=live.commis_id,
        name="research",
        span_id="ab" * 8,
        parent_span_id=None,
        root=RootRun.of_run(1, 0, 0, {}),
        outer=None,
        run_log=live,
        owner=VisibilityCallbackHandler().tracker,
    )
    live.expect(segment)
    return segment


CALL = ToolCallRecord(tool="ls", start_us=1_000_000, end_us=2_000_000, success=True)
BEGUN = SegmentRun(span_id="ab" * 8, start_ts="1970-01-01T00:00:01.000000Z")
RUN = CommisRunRecord(name="research", status="cancelled", start_us=1_000_000, end_us=2_000_000)


def test_a_stream_is_collected_while_a_record_of_its_commis_is_added_up_and_another_saved(store):
    def happens(number: int) -> bool:
        live = new_commis(store)
        segment = expected_segment(live)
        live.begin(segment, BEGUN, is_first=True)
        saving = threading.Thread(target=live.save_late, daemon=True)

        def collected() -> None:
            saving.start()
            saving.join(LET_IT_COME_FAR_S)
            live.end(segment, RUN, 1_000_000, None)

        adding = InBetween(number, lambda: live.add(CALL), collected)
        adding.start()
        end(adding)
        if adding.came:
            end(saving)
            live.save_late()
            after = store.metadata(live.commis_id)
            assert (after.status, after.totals.tool_calls) == ("cancelled", 1)
        live.close()
        return adding.came

    for_each_line(happens)


class BrokenStore(CommisStore):
    """Has no readable metadata.json and can make no directory, and tells when it was asked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked = threading.Event()

    def written_metadata(self, commis_id: str) -> CommisMetadata:
        self.asked.set()
        raise MetadataUnreadableError("half of it is missing")

    def create_as(self, commis_id: str) -> int:
        self.asked.set()
        raise OSError(errno.ENOSPC, "no space left on device")


@pytest.fixture
def log() -> logging.StreamHandler[io.StringIO]:
    """A log of diagnostics, as programs have it; another fixture takes it away again."""
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger("zerg_visibility").addHandler(handler)
    return handler


def collect_while_logging(
    log: logging.StreamHandler[io.StringIO],
    store: BrokenStore,
    has_a_fault: Callable[[], None],
    collected: Callable[[], None],
) -> None:
    """Do the last while the log is locked for a line, and another thread has a line for it."""
    other = threading.Thread(target=has_a_fault, daemon=True)

    def write_a_line() -> None:
        with log.lock:
            other.start()
            assert store.asked.wait(20)
            collected()

    writing = threading.Thread(target=write_a_line, daemon=True)
    writing.start()
    end(writing, other)
    assert "could not" in log.stream.getvalue()


def test_a_stream_is_collected_while_a_continued_commis_turns_out_to_be_unreadable(tmp_path, log):
    store = BrokenStore(tmp_path)
    commis_id, _ = store.create("Calculate 7*6", 1_000_000)
    live = LiveCommis(store, commis_id, Diagnostics())
    ending = expected_segment(live)
    continuing = expected_segment(live)

    def has_a_fault() -> None:
        live.begin(continuing, BEGUN, is_first=False)

    collect_while_logging(log, store, has_a_fault, lambda: live.end(ending, RUN, 1, None))


def test_a_stream_is_collected_while_the_directory_of_its_commis_cannot_be_made(
    tmp_path, log, monkeypatch
):
    monkeypatch.setattr(dossier_module, "RETRY_AFTER_S", 0.0)
    store = BrokenStore(tmp_path)
    live = new_commis(store, in_folder=False)
    collect_while_logging(log, store, live.save_late, live.save_late)


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
