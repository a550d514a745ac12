"""A handler from its making to its end, and after."""

from __future__ import annotations

import threading

import pytest
from langchain_core.tools import tool

from tests.scenarios.found import kinds
from tests.scenarios.parts import Gate, ScriptedModel, agent, asks
from zerg_visibility import MemorySink, VisibilityCallbackHandler, visibility

ASK = {"messages": [("user", "Calculate 7*6")]}


class Exporter(MemorySink):
    """Keeps what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def flush(self, timeout_s: float) -> bool:
        self.asked.append("flush")
        return True

    def close(self) -> None:
        self.asked.append("close")


def call(handler: VisibilityCallbackHandler) -> None:
    agent(ScriptedModel(script=["42"])).invoke(ASK, {"callbacks": [handler]})


def test_leaving_the_block_flushes_and_closes_the_sinks(store):
    sink = Exporter()
    with VisibilityCallbackHandler(store, sinks=[sink], raise_error=True) as handler:
        call(handler)
        assert sink.asked == []
    assert sink.asked == ["flush", "close"]
    assert handler.close() is True


def test_an_error_in_the_block_goes_on_and_the_sinks_are_closed(store):
    sink = Exporter()
    with pytest.raises(KeyError), VisibilityCallbackHandler(store, sinks=[sink]):
        raise KeyError("mine")
    assert sink.asked == ["flush", "close"]


def test_calls_that_are_open_at_the_exit_are_recorded_when_they_end(store):
    gate, sink = Gate(), Exporter()

    @tool
    def wait_for_it() -> str:
        """Wait."""
        gate.wait_sync()
        return "done"

    graph = agent(ScriptedModel(script=[asks("wait_for_it"), "42"]), wait_for_it)
    with VisibilityCallbackHandler(store, sinks=[sink], raise_error=True) as handler:
        thread = threading.Thread(target=graph.invoke, args=(ASK, {"callbacks": [handler]}))
        thread.start()
        assert gate.entered.wait(30)
    assert [one.name for one in handler.open_calls()] == ["wait_for_it"]
    gate.released.set()
    thread.join(30)
    assert kinds(store.root) == {"llm_call": 2, "tool_call": 1, "concierge_run": 1}
    assert len(sink.records) == 4
    assert handler.open_runs == 0


def test_a_closed_handler_that_is_used_again_works(store):
    sink = Exporter()
    handler = VisibilityCallbackHandler(store, sinks=[sink], raise_error=True)
    for _ in range(2):
        with handler:
            call(handler)
    assert kinds(store.root) == {"llm_call": 2, "concierge_run": 2}
    assert sink.asked == ["flush", "close"] * 2


def test_a_block_does_not_close_a_handler_that_it_was_given(store):
    sink = Exporter()
    handler = VisibilityCallbackHandler(store, sinks=[sink], raise_error=True)
    with visibility(handler) as given:
        assert given is handler
        agent(ScriptedModel(script=["42"])).invoke(ASK)
    assert (sink.asked, len(sink.records)) == ([], 2)


def test_a_block_closes_the_handler_that_it_made(store, monkeypatch):
    closed = []
    monkeypatch.setattr(VisibilityCallbackHandler, "close", lambda self: closed.append(self))
    with visibility(store) as handler:
        assert closed == []
    assert closed == [handler]


def test_what_is_internal_is_not_among_the_names_that_are_shown(handler):
    shown = [name for name in dir(handler) if not name.startswith(("_", "on_", "ignore_"))]
    assert not {"tracker", "diagnostics", "clock", "redact"} & set(shown)
    assert {"store", "stats", "open_calls", "open_runs", "flush", "close"} <= set(shown)
