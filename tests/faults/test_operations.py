"""Every operation that can fail, with every error: the graph does not notice, readers do."""

from __future__ import annotations

import posix

import pytest

from tests.faults.runs import (
    CALLS,
    TASK,
    answer,
    calculator,
    expected_answer,
    is_complete,
    nothing_unaccounted,
    said_once,
    watched,
)
from tests.faults.sabotage import ERRORS, OPERATIONS, Sabotage
from tests.scripted import without_message_ids
from zerg_visibility import VisibilityCallbackHandler

every_operation = pytest.mark.parametrize("operation", OPERATIONS)
NEVER_NEEDED = {"read at a place"}
"""By a commis that is new; see test_continuing.py."""

every_error = pytest.mark.parametrize("error", ERRORS)


@pytest.fixture
def sabotage(store) -> Sabotage:
    return Sabotage(store.root)


@pytest.fixture
def handler(store) -> VisibilityCallbackHandler:
    """As users have it: what fails is counted, not raised."""
    return VisibilityCallbackHandler(store)


@every_error
@every_operation
def test_it_fails_all_the_time(operation, error, sabotage, store, handler, monkeypatch, caplog):
    expected = expected_answer()
    sabotage.install(monkeypatch, OPERATIONS[operation])
    answer(watched(store), handler)  # what is there already may be needed again
    handler = VisibilityCallbackHandler(store)
    sabotage.on(ERRORS[error])

    assert answer(watched(store), handler) == expected

    sabotage.off()
    assert (sabotage.hits > 0) is (operation not in NEVER_NEEDED | {"list"})
    assert handler.open_runs == 0
    if handler.stats.failures:
        assert said_once(caplog)
    # What need not be done need not work; but a record that is missing is a failure.
    assert handler.stats.failures or is_complete(store, 2)
    before = handler.stats

    assert answer(watched(store), handler) == expected

    assert is_complete(store, store.newest_job())
    assert handler.stats.failures == before.failures
    assert handler.stats.dropped_records == before.dropped_records


@every_error
@every_operation
def test_it_fails_in_an_empty_place(
    operation, error, sabotage, store, handler, monkeypatch, caplog
):
    expected = expected_answer()
    sabotage.install(monkeypatch, OPERATIONS[operation])
    sabotage.on(ERRORS[error])

    assert answer(watched(store), handler) == expected

    sabotage.off()
    assert (sabotage.hits > 0) is (operation not in NEVER_NEEDED)
    assert handler.open_runs == 0
    if handler.stats.failures:
        assert said_once(caplog)
    assert nothing_unaccounted(store, handler)
    assert handler.stats.failures or is_complete(store, 1)

    assert answer(watched(store), handler) == expected

    assert is_complete(store, store.newest_job())
    assert nothing_unaccounted(store, handler)


@every_error
@every_operation
def test_it_fails_for_a_while(operation, error, sabotage, store, handler, monkeypatch, caplog):
    expected = expected_answer()
    sabotage.install(monkeypatch, OPERATIONS[operation])
    commis = calculator(first=lambda: sabotage.on(ERRORS[error]), last=sabotage.off)

    assert answer(watched(store, commis), handler) == expected

    stats = handler.stats
    [found] = store.recent()
    read = store.records(found.commis_id)
    assert found.status == "success"
    # The totals are of all calls, written or not.
    assert (found.totals.llm_calls, found.totals.tool_calls) == (3, 2)
    assert len(read.items) + found.dropped_records == CALLS
    assert read.items[-1].phase == "synthesis"
    assert (read.unreadable, read.torn) == (0, False)
    assert found.dropped_records == stats.dropped_records
    assert stats.dropped_records <= stats.failures
    assert nothing_unaccounted(store, handler)
    if stats.failures:
        assert said_once(caplog)
    assert stats.open_runs == 0


@pytest.mark.parametrize("operation", ["write", "serialise", "everything"])
def test_what_is_dropped_is_counted_where_readers_look(
    operation, sabotage, store, handler, monkeypatch
):
    sabotage.install(monkeypatch, OPERATIONS[operation])
    commis = calculator(first=lambda: sabotage.on(ERRORS["ENOSPC"]), last=sabotage.off)
    answer(watched(store, commis), handler)

    [found] = store.recent()
    assert found.dropped_records == handler.stats.dropped_records == CALLS - 1


@every_error
def test_half_a_line_hides_no_neighbour(error, store, handler, monkeypatch):
    """A full disk takes the beginning of a line; what comes later is whole again."""
    real = posix.write
    state = {"on": False, "half": False}

    def write(fd, data):
        if not state["on"]:
            return real(fd, data)
        if not state["half"]:
            state["half"] = True
            return real(fd, bytes(data)[: len(data) // 2])
        raise ERRORS[error]()

    monkeypatch.setattr(posix, "write", write)
    commis = calculator(first=lambda: state.update(on=True), last=lambda: state.update(on=False))
    assert answer(watched(store, commis), handler) == expected_answer()

    [found] = store.recent()
    read = store.records(found.commis_id)
    assert found.dropped_records == CALLS - 1
    assert [record.phase for record in read.items] == ["synthesis"]
    assert read.unreadable <= 1


@every_error
@every_operation
async def test_it_fails_in_an_asynchronous_graph(
    operation, error, sabotage, store, handler, monkeypatch
):
    given = {"messages": [("user", TASK)]}
    expected = expected_answer()
    sabotage.install(monkeypatch, OPERATIONS[operation])
    commis = calculator(first=lambda: sabotage.on(ERRORS[error]), last=sabotage.off)

    state = await watched(store, commis).ainvoke(given, {"callbacks": [handler]})

    assert without_message_ids(state) == expected
    [found] = store.recent()
    assert len(store.records(found.commis_id).items) + found.dropped_records == CALLS
    assert handler.open_runs == 0
