import logging
import re

import pytest

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
