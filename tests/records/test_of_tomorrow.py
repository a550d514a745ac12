"""A reader of today meets a store that a newer version has written."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest
from click.testing import CliRunner

from tests.faults.test_continuing import begin, concierge, inquiry, resume
from tests.scripted import calculator, run
from zerg_visibility import (
    CommisStore,
    ConciergeToolkit,
    VisibilityCallbackHandler,
    create_commis_node,
)
from zerg_visibility.cli.main import cli
from zerg_visibility.read.follow import Follower
from zerg_visibility.schema import checkable

ALERT = {"event": "alert", "rule": "slow_call", "value": 12.5, "ts": "2027-01-01T00:00:00.000000Z"}
START = {"event": "commis_run", "name": "inner", "span_id": "ab" * 8,
         "start_ts": "2027-01-01T00:00:00.000000Z"}  # fmt: skip


@pytest.fixture
def store(tmp_path) -> CommisStore:
    """One commis, with events, a status, fields and keys that nobody knows today."""
    store = CommisStore(tmp_path / "data")
    run(create_commis_node(calculator(), store=store), "Calculate 7*6")
    folder = store.folder(1)
    metrics = folder / "metrics.jsonl"
    lines = [orjson.loads(line) for line in metrics.read_bytes().splitlines()]
    lines = [{**line, "energy_mws": 12, "labels": {"variant": "b"}} for line in lines]
    lines[1:1] = [ALERT, {**ALERT, "rule": "stalled"}]
    metrics.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    with (folder / "started.jsonl").open("ab") as file:
        file.write(orjson.dumps(START) + b"\n")
    path = folder / "metadata.json"
    known = orjson.loads(path.read_bytes())
    known |= {"status": "budget_exceeded", "budget": {"max_cost_usd": 1}, "schema_version": 2}
    known["totals"]["energy_mws"] = 36
    known["runs"][0]["mood"] = "good"
    path.write_bytes(orjson.dumps(known))
    return store


def test_what_is_known_is_read_and_the_rest_is_counted_apart(store):
    read = store.records(1)
    assert [record.event for record in read] == ["llm_call", "tool_call", "llm_call"]
    assert (read.newer, read.unreadable, read.torn) == (2, 0, False)
    assert read.remark == "Skipped: 2 records of a newer version."
    assert store.calls_in_flight(1) == ()


def test_an_unknown_status_is_shown_and_is_an_end(store):
    found = store.metadata(1)
    assert (found.status, found.totals.llm_calls) == ("budget_exceeded", 2)
    [listed] = store.recent()
    assert listed == found


def test_the_tools_answer(store):
    tools = {tool.name: tool for tool in ConciergeToolkit(store=store, detail="full").get_tools()}
    answers = {
        name: tools[name].invoke({"job_id": "1"})
        for name in ("read_commis_result", "get_commis_metrics", "get_commis_metadata")
    }
    assert "It ended with status budget_exceeded." in answers["read_commis_result"]
    assert "Execution time: " in answers["read_commis_result"]
    assert "status budget_exceeded" in answers["get_commis_metrics"]
    assert "2 records of a newer version" in answers["get_commis_metrics"]
    assert '"status":"budget_exceeded"' in answers["get_commis_metadata"].replace(": ", ":")
    assert "budget_exceeded" in tools["list_commis"].invoke({})


@pytest.mark.parametrize("command", [["show", "1"], ["list"], ["show", "1", "--json"],
                                     ["list", "--json"]], ids=" ".join)  # fmt: skip
def test_the_command_line_shows_it(command, store):
    done = CliRunner().invoke(cli, [*command, "--root", str(store.root)])
    assert done.exit_code == 0, done.output
    assert "budget_exceeded" in done.output


def test_doctor_says_what_to_do(store):
    done = CliRunner().invoke(cli, ["doctor", "--root", str(store.root), "--json"])
    findings = {one["check"]: one for one in orjson.loads(done.output)["findings"]}
    assert findings["metadata"]["state"] == "ok"
    assert findings["lines"]["state"] == "warning"
    assert findings["lines"]["cure"] == "pip install --upgrade zerg-visibility"


def test_who_follows_hears_nothing_of_it(store):
    news = Follower(store, from_start=True).poll()
    assert [item for item in news if item.event == "line_unreadable"] == []
    assert len(news) == 5  # it started, made three calls, and ended


def test_a_commis_that_a_newer_version_began_goes_on(tmp_path):
    store = CommisStore(tmp_path / "data")
    graph = concierge(create_commis_node(inquiry(), store=store))
    handler = VisibilityCallbackHandler(store)
    begin(graph, handler)
    before = store.metadata(1)
    with (store.folder(1) / "metrics.jsonl").open("ab") as file:
        file.write(orjson.dumps(ALERT) + b"\n")
    path = store.folder(1) / "metadata.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"budget": {}}))

    resume(graph, handler)

    after = store.metadata(1)
    assert (before.status, after.status, after.segments) == ("interrupted", "success", 2)
    assert after.totals.llm_calls == before.totals.llm_calls + 1
    assert (handler.stats.failures, store.records(1).newer) == (0, 1)


def test_a_field_that_cannot_be_checked_is_an_error_at_once():
    @dataclass
    class Price:
        usd: float
        tiers: tuple[int, ...]

    with pytest.raises(TypeError, match=r"Price cannot be checked: usd: float, tiers: tuple"):
        checkable()(Price)
    assert checkable(apart=("usd", "tiers"))(Price) is Price
