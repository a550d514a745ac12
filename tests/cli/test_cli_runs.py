"""`list --runs` and `show CONCIERGE_ID`: what was done outside of any commis."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from tests.bound import closed
from tests.cli.samples import SECOND, Maker, bound_zerg, llm, run, start, tool
from tests.cli.terminal import in_terminal
from tests.scripted import calculator
from zerg_visibility import CommisStore, ConciergeRunRecord, VisibilityCallbackHandler
from zerg_visibility.cli.main import cli
from zerg_visibility.clock import format_for_name
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.liveness import this_process


def zerg(*arguments) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


class Runs:
    """Runs of concierges as they lie on disk, each a minute younger than the one before."""

    def __init__(self, store: CommisStore, make: Maker) -> None:
        self.store = store
        self.next_us = make.begun_us

    def __call__(self, *records, starts=(), status="success", ended=True, **known) -> str:
        t = self.next_us
        self.next_us += 60 * SECOND
        name = f"{format_for_name(t)}_{t % 16**8:08x}"
        known = {"name": "lead", "thread_id": "t-1", "trace_id": "b" * 32, **known}
        mark = this_process()
        begun = CallStarted(
            event="concierge_run", span_id="a" * 16, start_us=t, pid=mark.pid,
            pid_started=mark.pid_started, host=mark.host,
            **{key: known[key] for key in ("name", "thread_id", "trace_id")},
        )  # fmt: skip
        lines = list(records)
        if ended:
            lines.append(
                ConciergeRunRecord(
                    start_us=t, end_us=t + 3 * SECOND, span_id="a" * 16, status=status, **known
                )
            )
        for file, items in (("started.jsonl", [begun, *starts]), ("metrics.jsonl", lines)):
            data = b"".join(json_line(item.to_dict()) for item in items)
            self.store.write_file(self.store.root / "concierge" / name / file, data)
        return name


@pytest.fixture
def runs(store, make) -> Runs:
    return Runs(store, make)


def test_one_agent_without_any_commis_sees_its_calls(store):
    calculator().invoke(
        {"messages": [("user", "7*6")]},
        {"callbacks": [VisibilityCallbackHandler(store)], "run_name": "solo"},
    )
    listed = zerg("list", "--root", store.root)
    assert listed.startswith(f"No commis in {store.root} yet; 1 concierge run: ")
    head, row = (
        line.split("\t") for line in zerg("list", "--runs", "--root", store.root).split("\n")[:2]
    )
    cells = dict(zip(head, row, strict=True))
    assert (cells["status"], cells["llm"], cells["tool"]) == ("success", "2", "1")
    assert (cells["commis"], cells["name"], cells["thread"]) == ("0", "solo", "-")
    shown = zerg("show", cells["concierge"], "--root", store.root)
    assert shown.startswith("Concierge  success  solo\n")
    assert "\nmultiply" in shown
    assert "gpt-5-mini synthesis" in shown
    assert "\nLLM " in shown


def test_they_are_listed_newest_first_and_filtered(store, runs):
    first = runs(llm(runs.next_us, 5), tool(runs.next_us, 5, success=False))
    second = runs(status="failed", error="E: no", thread_id="t-2")
    third = runs(run(runs.next_us, 5, commis_id="2025-12-15T04-08-08_x"), ended=False)
    text = zerg("list", "--runs", "--root", store.root)
    rows = [line.split("\t")[:-1] for line in text.splitlines()[1:]]
    assert [row[0] for row in rows] == [third, second, first]
    assert [row[1] for row in rows] == ["running", "failed", "success"]
    assert rows[2][2:] == ["3.0s", "1", "1", "1", "1234", "0", "lead", "t-1"]
    assert rows[0][7] == "1"
    only = zerg("list", "--runs", "--status", "failed", "--json", "--root", store.root)
    [found] = json.loads(only)
    assert (found["concierge_id"], found["error"], found["thread_id"]) == (second, "E: no", "t-2")
    assert (
        len(json.loads(zerg("list", "--runs", "--limit", 2, "--json", "--root", store.root))) == 2
    )
    since = zerg("list", "--runs", "--since", "9.5m", "--json", "--root", store.root)
    assert [one["concierge_id"] for one in json.loads(since)] == [third, second]
    none = zerg("list", "--runs", "--status", "lost", "--root", store.root)
    assert none.startswith(f"No concierge runs in {store.root} fits")


def test_a_store_without_runs_says_so(store, make):
    make()
    assert "No concierge runs in" in zerg("list", "--runs", "--root", store.root)


def test_its_own_calls_are_bars_and_its_commis_rows(store, make, runs):
    child = make(records=lambda t: [llm(t, 5)], name="helper")
    t = runs.next_us
    name = runs(
        llm(t, 1000, phase="initial"),
        tool(t + SECOND, 1500, tool="helper_tool"),
        run(t + SECOND, 1000, name="helper", job_id=1, commis_id=child.commis_id),
        run_id="r-1",
        continues="2025-12-15T04-08-08_0123abcd",
        labels={"variant": "b", "day": "1"},
    )
    text = zerg("show", name, "--root", store.root)
    lines = text.splitlines()
    assert lines[1:3] == [f"concierge  {name}", "time       3.0s"]
    assert "labels     variant=b, day=1" in lines
    for line in ("thread     t-1", "run        r-1", "continues  2025-12-15T04-08-08_0123abcd"):
        assert line in lines
    [commis] = [line for line in lines if line.startswith("helper job 1")]
    assert commis.split()[-1] == "1.0s"
    assert "commis     #1 helper; with them 2,468 tokens, 2 LLM calls, 1 tool call" in lines
    assert "not its time at work" not in text
    document = json.loads(zerg("show", name, "--json", "--root", store.root))
    assert (document["concierge_id"], document["run_id"]) == (name, "r-1")
    assert [one["commis_id"] for one in document["commis"]] == [child.commis_id]
    assert document["totals"]["llm_calls"] == 1


def test_one_that_runs_says_what_it_is_doing(store, runs):
    t = runs.next_us
    name = runs(starts=[start(t + SECOND, "tool_call", "ssh_exec")], ended=False)
    text = zerg("show", name, "--root", store.root)
    assert " so far\n" in text
    assert "last sign of life" in text
    [row] = [line for line in text.splitlines() if line.startswith("ssh_exec")]
    assert row.endswith("open")


def test_an_unknown_id_names_both_kinds(store, make, runs):
    make()
    name = runs()
    done = CliRunner().invoke(cli, ["show", "nothing", "--root", str(store.root)])
    assert done.exit_code == 1
    assert str(done.exception) == (
        f"no commis and no concierge run 'nothing' in {store.root}. "
        f"Latest jobs: 1. Latest runs: {name}."
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_each_run_is_one_line(store, runs, width):
    for _ in range(2):
        runs(llm(runs.next_us, 5), thread_id="t" * 100, name="[red]a long name[/red] " * 5)
    screen = in_terminal(width, "list", "--runs", "--root", store.root)
    assert len(screen.lines) == 3
    assert all(cell_len(line) <= width for line in screen.lines)
    assert "31" not in screen.styles_of("[red]")
    assert all("success" in line for line in screen.lines[1:])


def test_on_a_usual_terminal_its_calls_and_tokens_are_told_before_its_thread(store, runs):
    runs(llm(runs.next_us, 5), name="plainagent", status="interrupted")
    head, row = in_terminal(80, "list", "--runs", "--root", store.root).lines
    cells = dict(zip(head.split(), row.split(), strict=True))
    assert (cells["llm"], cells["tokens"], cells["commis"]) == ("1", "1234", "0")
    wide, row = in_terminal(120, "list", "--runs", "--root", store.root).lines
    assert dict(zip(wide.split(), row.split(), strict=True))["thread"] == "t-1"


def test_one_that_may_not_be_read_says_so_and_hides_no_other(store, runs):
    theirs = runs()
    mine = runs(llm(runs.next_us, 5))
    with closed(store.root / "concierge" / theirs):
        listed = bound_zerg("list", "--runs", "--root", store.root)
        shown = bound_zerg("show", theirs, "--root", store.root)
    assert (listed.returncode, shown.returncode) == (0, 0)
    first, second = (line.split("\t") for line in listed.stdout.splitlines()[1:])
    assert (first[0], first[1], first[3]) == (mine, "success", "1")
    assert second[:7] == [theirs, "lost", "-", "-", "-", "-", "-"]
    assert "time       not known\n" in shown.stdout
    assert "error      metrics.jsonl cannot be read (Permission denied)\n" in shown.stdout


def test_time_in_which_only_its_commis_ran_is_not_called_idle(store, make, runs):
    child = make(records=lambda t: [llm(t, 5)], name="helper")
    name = runs(run(runs.next_us, 2000, name="helper", job_id=1, commis_id=child.commis_id))
    [other] = [
        line
        for line in zerg("show", name, "--root", store.root).splitlines()
        if line.startswith("other")
    ]
    assert other.endswith("100%  in which no call of its own ran")
