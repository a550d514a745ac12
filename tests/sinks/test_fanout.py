import logging
import re
import threading
import time

import pytest

from tests.processes import python, python_with_faults
from zerg_visibility import LLMCallRecord, MemorySink
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.sinks.fanout import FanoutSink
from zerg_visibility.testing import FailingSink

RECORD = LLMCallRecord(start_us=0, end_us=1000)


@pytest.fixture
def diagnostics() -> Diagnostics:
    return Diagnostics(logging.getLogger("zerg_visibility.fanout"))


class SlowSink(MemorySink):
    def __init__(self, answer: bool = True) -> None:
        super().__init__()
        self.answer = answer
        self.given: list[float] = []

    def flush(self, timeout_s: float) -> bool:
        self.given.append(timeout_s)
        return self.answer


def test_a_sink_that_raises_harms_no_other(diagnostics, caplog):
    failing, first, last = FailingSink(OSError("disk is full")), MemorySink(), MemorySink()
    fanout = FanoutSink([first, failing, last], diagnostics)
    for _ in range(3):
        fanout.emit(RECORD)
    assert first.records == last.records == [RECORD] * 3
    assert failing.calls == diagnostics.failures == 3
    # Said once, with its cause; what the system refused needs no traceback.
    assert caplog.messages == [
        "zerg_visibility could not hand a llm_call to FailingSink: OSError: disk is full; "
        "the graph goes on"
    ]
    assert caplog.records[0].exc_info is None


def test_a_bug_is_said_with_its_place_and_its_lines_of_code_at_level_debug(diagnostics, caplog):
    caplog.set_level(logging.DEBUG, "zerg_visibility")
    failing = FailingSink(LookupError("two\nlines \x1b[31m"))
    FanoutSink([failing], diagnostics).emit(RECORD)
    said, traced = caplog.records
    assert re.fullmatch(
        r"zerg_visibility could not hand a llm_call to FailingSink: LookupError: two lines \[31m "
        r"\(testing\.py:\d+\); the graph goes on",
        said.getMessage(),
    )
    assert traced.levelno == logging.DEBUG
    # Its lines of code, and not a second time what it said.
    assert traced.getMessage().startswith("where that was, innermost last:\n  File ")
    assert "raise self.error" in traced.getMessage()
    assert str(failing.error) not in traced.getMessage()
    assert traced.exc_info is None


def test_flush_shares_one_time_and_says_whether_all_managed(diagnostics):
    done, not_done = SlowSink(), SlowSink(answer=False)
    assert FanoutSink([done], diagnostics).flush(5.0) is True
    assert FanoutSink([not_done, done], diagnostics).flush(5.0) is False
    assert FanoutSink([FailingSink(), done], diagnostics).flush(5.0) is False
    assert len(done.given) == 3
    assert all(0 <= given <= 5 for given in done.given)
    assert diagnostics.failures == 1


class HangingSink(MemorySink):
    """Hangs when it is flushed, as one does whose server does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def flush(self, timeout_s: float) -> bool:
        return self.released.wait(60)


def test_a_sink_that_hangs_costs_its_time_limit_and_the_others_are_flushed_and_closed(diagnostics):
    class Closed(SlowSink):
        closed = False

        def close(self) -> None:
            self.closed = True

    hanging, other = HangingSink(), Closed()
    fanout = FanoutSink([hanging, other], diagnostics)
    for stop in (fanout.flush, fanout.close):
        began = time.monotonic()
        assert stop(0.3) is False
        assert 0.3 <= time.monotonic() - began < 5
    assert (len(other.given), other.closed) == (2, True)
    hanging.released.set()
    assert fanout.close(30) is True
    assert fanout.flush(30) is True


def test_nothing_is_waited_for_where_there_is_no_sink(diagnostics):
    before = threading.active_count()
    assert FanoutSink([], diagnostics).flush(0.0) is True
    assert threading.active_count() == before


def test_close_reaches_every_sink(diagnostics):
    failing = FailingSink()
    assert FanoutSink([failing, failing, MemorySink()], diagnostics).close() is False
    assert failing.calls == diagnostics.failures == 4  # each is flushed first


def test_what_ends_the_program_is_not_swallowed(diagnostics):
    class Interrupted(MemorySink):
        def emit(self, record):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FanoutSink([Interrupted()], diagnostics).emit(RECORD)


# -- the end of a program --------------------------------------------------------------------------

AT_EXIT = """
import sys, threading, time
from zerg_visibility import MemorySink, VisibilityCallbackHandler
from zerg_visibility.testing import ScriptedChatModel

class Buffered(MemorySink):
    def flush(self, timeout_s):
        if self.records:
            # In one piece: another thread may be doing the same.
            sys.stdout.write(f"{self.name} {len(self.records)}\\n")
            sys.stdout.flush()
            self._records.clear()
        return True

class Hanging(MemorySink):
    def flush(self, timeout_s):
        threading.Event().wait()

class Failing(MemorySink):
    def flush(self, timeout_s):
        raise OSError("no such host")

def buffered(name):
    sink = Buffered()
    sink.name = name
    return sink

def call(handler):
    ScriptedChatModel(script=["42"]).invoke("7*6", {"callbacks": [handler]})

def main():
    call(VisibilityCallbackHandler(sinks=[buffered("of a function")]))

def late():
    threading.main_thread().join()
    time.sleep(0.2)
    call(handler)

kind = sys.argv[1]
sinks = {"hanging": [Hanging()], "failing": [Failing()]}.get(kind, [])
handler = VisibilityCallbackHandler(sinks=[*sinks, buffered("of the program")])
if kind == "late":
    threading.Thread(target=late).start()
else:
    call(handler)
main()
"""


@pytest.mark.parametrize("kind", ["ended", "hanging"])
def test_what_sinks_hold_is_flushed_when_the_program_ends(kind):
    began = time.monotonic()
    assert sorted(python(AT_EXIT, kind).splitlines()) == ["of a function 1", "of the program 1"]
    assert time.monotonic() - began < 20


def test_a_sink_that_cannot_be_flushed_when_the_program_ends_is_told_of():
    told = python_with_faults(AT_EXIT, "failing").splitlines()
    assert sorted(told) == ["of a function 1", "of the program 1"]


def test_what_a_thread_does_after_the_main_thread_is_flushed_too():
    assert sorted(python(AT_EXIT, "late").splitlines()) == ["of a function 1", "of the program 1"]
