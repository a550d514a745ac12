"""SIGKILL at a random moment, with twenty commis at work: no finished call is lost.

Five times here; `KILLS=100 uv run pytest tests/crash/test_kill.py` is the long form.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.crash.killing import Truth, kill_at_random
from tests.crash.victim import COMMIS
from zerg_visibility import CommisStore, ConciergeToolkit, MetadataUnreadableError
from zerg_visibility.cli.main import main

KILLS = int(os.environ.get("KILLS", "5"))


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_process_has_lost_no_finished_call(number, store, tmp_path, capsys):
    truth = kill_at_random(tmp_path / "truth", "ours", str(store.root))

    recorded = records_once(store)
    assert truth.done, "killed before anything was done"
    assert truth.done - recorded == set()
    in_flight = names_what_was_in_flight(store)
    assert truth.begun - recorded - in_flight == set()
    # What the store says was at work is no invention, but for a call that was just being started.
    assert len(in_flight - truth.begun) <= COMMIS
    jobs = reads_as_lost(store)
    assert 0 < len(jobs) <= COMMIS
    tools_answer(store, jobs, truth)
    commands_answer(store, jobs, capsys)


def records_once(store: CommisStore) -> set[str]:
    """The span of every record; no line may be unreadable but a torn last one."""
    spans: list[str] = []
    for folder in (store.root / "commis").iterdir():
        read = store.records(folder.name)
        assert read.unreadable == 0, folder
        spans += [record.span_id for record in read.items]
    assert len(spans) == len(set(spans))
    return set(spans)


def names_what_was_in_flight(store: CommisStore) -> set[str]:
    return {
        call.span_id
        for folder in (store.root / "commis").iterdir()
        for call in store.calls_in_flight(folder.name)
    }


def reads_as_lost(store: CommisStore) -> list[int]:
    """Jobs of the commis that were at work; one that died while it was born has no metadata."""
    jobs = []
    for commis in store.recent():
        try:
            written = store.written_metadata(commis.commis_id)
        except MetadataUnreadableError:
            assert not store.records(commis.commis_id).items
            continue
        assert (written.status, commis.status) == ("running", "lost")
        jobs.append(commis.job_id)
    return jobs


def tools_answer(store: CommisStore, jobs: list[int], truth: Truth) -> None:
    tools = {tool.name: tool for tool in ConciergeToolkit(store=store).get_tools()}

    def use(name: str, **arguments) -> str:
        answer = tools[name].invoke(
            {"type": "tool_call", "id": "1", "name": name, "args": arguments}
        )
        assert answer.status == "success", answer.content
        return answer.content

    assert len(tools) == 6
    listed = use("list_commis", status="lost")
    assert [f"job {job}: lost" in listed for job in jobs] == [True] * len(jobs)
    # The one that came furthest; another may have been killed before its first call returned.
    job = max(jobs, key=lambda job: len(store.records(store.find(job)).items))
    assert "Not finished: status lost" in use("read_commis_result", job_id=job)
    assert json.loads(use("get_commis_metadata", job_id=job))["status"] == "lost"
    assert "LLM" in use("get_commis_metrics", job_id=job)
    assert "started.jsonl" in use("read_commis_file", job_id=job, file_path="started.jsonl")
    one = min(truth.done)
    assert one in use("grep_commis", pattern=one)


def commands_answer(store: CommisStore, jobs: list[int], capsys: pytest.CaptureFixture) -> None:
    def command(*arguments: str) -> str:
        code = main([*arguments, "--root", str(store.root)])
        shown = capsys.readouterr()
        assert (code, shown.err) == (0, ""), shown
        return shown.out

    listed = command("list")
    assert {str(job) for job in jobs} <= {line.split()[0] for line in listed.splitlines()}
    assert listed.count("lost") >= len(jobs)
    assert "lost" in command("show", str(jobs[-1]))
    assert json.loads(command("show", str(jobs[-1]), "--json"))
    assert json.loads(command("list", "--json"))
    assert " 0 failed" in command("doctor")
