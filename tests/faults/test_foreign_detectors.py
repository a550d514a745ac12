"""A detector of somebody else's refuses what the store asks, and advises at length."""

from __future__ import annotations

import os
import posix

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.faults.test_continuing import begin, concierge, inquiry, resume
from tests.scripted import calculator
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node

ADVICE = "Blocking call. " + 40 * "What it means stands here. " + "Cure: allow it."


def refuse(*_, **__):
    raise RuntimeError(ADVICE)


def test_a_commis_without_a_directory_is_counted_and_said_to_the_end(
    store, handler, monkeypatch, caplog
):
    monkeypatch.setattr(posix, "mkdir", refuse)
    node = create_commis_node(calculator(), store=store)

    state = node.invoke({"messages": [("user", "Calculate 7*6")]}, {"callbacks": [handler]})

    assert state["messages"][-1].text
    assert not store.root.exists()
    assert handler.stats.dropped_records == 3  # its calls; its segment goes to nobody's file
    assert f"could not create a commis's directory: RuntimeError: {ADVICE}" in caplog.text


def test_a_commis_that_cannot_be_opened_is_a_dropped_record(store, monkeypatch, caplog):
    saver = InMemorySaver()
    first = VisibilityCallbackHandler(store)
    begin(concierge(create_commis_node(inquiry(), store=store), saver), first)
    handler = VisibilityCallbackHandler(CommisStore(store.root))
    graph = concierge(create_commis_node(inquiry(), store=CommisStore(store.root)), saver)
    monkeypatch.setattr(posix, "stat", refuse)

    resume(graph, handler)

    assert handler.stats.dropped_records == 1
    assert f"could not start watching a commis: RuntimeError: {ADVICE}" in caplog.text


@pytest.mark.parametrize("name", ["mkdir", "replace", "rename", "unlink", "stat", "listdir",
                                  "write", "read", "getcwd", "access", "scandir"])  # fmt: skip
async def test_what_os_refuses_the_store_does_not_ask_of_it(
    name, store, handler, monkeypatch, tmp_path
):
    """As `langgraph dev` does it: the functions of `os` raise, those of `posix` stay."""
    real = getattr(os, name)
    monkeypatch.setattr(os, name, refuse)
    node = create_commis_node(calculator(), store=store)

    await node.ainvoke({"messages": [("user", "Calculate 7*6")]}, {"callbacks": [handler]})

    monkeypatch.setattr(os, name, real)
    assert (handler.stats.failures, handler.stats.dropped_records) == (0, 0)
    [commis] = store.recent()
    assert commis.status == "success"
