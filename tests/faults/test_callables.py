"""What users and operators hand in may raise whatever it likes."""

from __future__ import annotations

import itertools
import logging
import time
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

from tests.faults.runs import (
    CALLS,
    RECORDS,
    answer,
    calculator,
    expected_answer,
    is_complete,
    lines_in,
    said_once,
    watched,
)
from tests.faults.sabotage import ERRORS
from zerg_visibility import (
    MemorySink,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
)
from zerg_visibility.clock import Clock
from zerg_visibility.testing import FailingSink

every_error = pytest.mark.parametrize("error", ERRORS)


class Moody:
    """A function that raises while it is told to."""

    def __init__(self, error: Any, gives: Any) -> None:
        self.error = error
        self.gives = gives
        self.raises = True

    def __call__(self, *args: Any) -> Any:
        if self.raises:
            raise self.error()
        return self.gives(*args)


@every_error
@pytest.mark.parametrize("argument", ["task", "result", "redact"])
def test_a_function_of_the_user_raises(argument, error, store, caplog):
    function = Moody(ERRORS[error], str)
    handler = VisibilityCallbackHandler(store)

    state = answer(watched(store, **{argument: function}), handler)

    assert state == expected_answer()
    [found] = store.recent()
    assert (found.status, handler.open_runs) == ("success", 0)
    assert len(store.records(found.commis_id).items) == CALLS
    assert handler.stats.failures
    assert handler.stats.dropped_records == found.dropped_records == 0
    assert said_once(caplog)
    function.raises = False
    failures = handler.stats.failures
    answer(watched(store, **{argument: function}), handler)
    assert handler.stats.failures == failures


@every_error
def test_the_handlers_own_redact_raises_and_no_text_gets_out(error, store):
    handler = VisibilityCallbackHandler(store, redact=Moody(ERRORS[error], str))
    assert answer(watched(store), handler) == expected_answer()
    texts = [path.read_text() for path in store.root.rglob("*") if path.is_file()]
    assert not any("Calculate" in text or "The result is" in text for text in texts)


@every_error
def test_output_raises_and_that_is_the_users_own(error, store, handler):
    """The one function that changes the graph: what it raises has to come through."""

    def output(update: Any, job: Any) -> Any:
        raise ERRORS[error]()

    with pytest.raises(type(ERRORS[error]())):
        answer(watched(store, output=output), handler)
    assert is_complete(store, 1)


@every_error
@pytest.mark.parametrize("which", ["wall_ns", "monotonic_ns", "both"])
@pytest.mark.parametrize("when", ["always", "at first", "in the middle", "from then on"])
def test_a_clock_raises(when, which, error, store, caplog):
    state = {"broken": when in {"always", "at first"}}

    def look(real: Any) -> Any:
        def clock() -> int:
            if state["broken"]:
                raise ERRORS[error]()
            return real()

        return clock

    clocks = {"wall_ns": time.time_ns, "monotonic_ns": time.perf_counter_ns}
    broken = {name: look(real) for name, real in clocks.items() if which in {name, "both"}}
    handler = VisibilityCallbackHandler(store, clock=Clock(**{**clocks, **broken}))
    commis = calculator(
        first=lambda: state.update(broken=when != "at first"),
        last=lambda: state.update(broken=when in {"always", "from then on"}),
    )

    assert answer(watched(store, commis), handler) == expected_answer()

    assert handler.open_runs == 0
    state["broken"] = False
    failures = handler.stats.failures
    assert answer(watched(store), handler) == expected_answer()
    assert is_complete(store, store.newest_job())
    assert handler.stats.failures == failures
    if failures:
        assert said_once(caplog)


@every_error
def test_a_sink_raises(error, store, caplog):
    broken, sound = FailingSink(ERRORS[error]()), MemorySink()
    handler = VisibilityCallbackHandler(store, sinks=[broken, sound])

    assert answer(watched(store), handler) == expected_answer()

    assert is_complete(store, 1)
    assert len(sound.records) == broken.calls == handler.stats.failures == RECORDS
    # One line for each kind of record, at most once a minute.
    assert said_once(caplog)
    assert handler.flush(1.0) is False
    handler.close()


class FailingLogHandler(logging.Handler):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.calls = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.calls += 1
        raise self.error


@every_error
def test_a_log_handler_raises(error, store):
    logger = logging.getLogger("zerg_visibility")
    broken = FailingLogHandler(ERRORS[error]())
    logger.addHandler(broken)
    logger.setLevel(logging.INFO)
    handler = VisibilityCallbackHandler(store)

    assert answer(watched(store), handler) == expected_answer()

    assert is_complete(store, 1)
    assert handler.stats.failures == CALLS + 1  # a root run has no line
    assert broken.calls > CALLS


@every_error
def test_the_log_file_fails_and_comes_back(error, store, tmp_path, monkeypatch):
    path = tmp_path / "logs" / "backend.log"
    log_file = configure_logging(path)
    handler = VisibilityCallbackHandler(store)
    failing = {"on": False}
    real = type(log_file).format

    def format_(self: Any, record: logging.LogRecord) -> str:
        if failing["on"] and record.levelno == logging.INFO:
            raise ERRORS[error]()
        return real(self, record)

    monkeypatch.setattr(type(log_file), "format", format_)
    commis = calculator(
        first=lambda: failing.update(on=True), last=lambda: failing.update(on=False)
    )

    assert answer(watched(store, commis), handler) == expected_answer()

    assert is_complete(store, 1)
    assert handler.stats.failures == CALLS - 1
    lines = [line for line in path.read_text().splitlines() if " INFO " in line]
    assert [line.split()[3] for line in lines] == ["llm_call_complete", "commis_complete"]


class State(TypedDict, total=False):
    value: Any


class Unprintable:
    """A value that cannot be written down in any way."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value",
    [Unprintable(), float("nan"), 2**200, b"\xff", {1: {2: {3}}}, "\ud800", object(), 1j],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_json_has_no_form_for(value, store):
    def graph() -> Any:
        builder = StateGraph(State).add_node("give", lambda _: {"value": value})
        return builder.add_edge(START, "give").compile()

    handler = VisibilityCallbackHandler(store)
    commis = create_commis_node(graph(), store=store)
    outer = StateGraph(State).add_node("commis", commis).add_edge(START, "commis").compile()
    assert outer.invoke({"value": "?"}, {"callbacks": [handler]})["value"] is value
    [found] = store.recent()
    assert found.status == "success"
    assert handler.open_runs == 0
    assert store.result(found.commis_id)


def test_an_error_that_cannot_be_printed_is_still_one(store):
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fail() -> None:
        raise SilentError

    handler = VisibilityCallbackHandler(store)
    with pytest.raises(SilentError):
        answer(watched(store, calculator(first=fail)), handler)
    [found] = store.recent()
    assert (found.status, found.error) == ("failed", "SilentError")


@every_error
def test_the_same_fault_is_said_once_however_often_it_comes(error, store, caplog):
    counter = itertools.count()
    handler = VisibilityCallbackHandler(store, sinks=[FailingSink(ERRORS[error]())])
    while next(counter) < 5:
        answer(watched(store), handler)
    assert handler.stats.failures == 5 * RECORDS
    assert said_once(caplog)
    assert lines_in(store) == handler.stats.records
