import json
import logging
import os
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.bound import closed
from tests.cli.samples import bound_zerg, environment, llm, tool, zerg
from tests.cli.terminal import in_terminal
from zerg_visibility.cli.main import cli
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.commis import check_commis, examine
from zerg_visibility.doctor.diagnosis import check_log_file, check_outside, check_root
from zerg_visibility.doctor.finding import Finding
from zerg_visibility.doctor.trial import check_trial

GOOD = "2025-12-15 03:19:34 INFO tool_call_complete tool=x success=True event=tool_call_complete\n"
BARE = "INFO:zerg_visibility:tool_call_complete\n"


def is_fine(finding: Finding) -> bool:
    return finding.state == "ok" and finding.cure is None


def found(check: str, store: CommisStore) -> Finding:
    return {finding.check: finding for finding in check_commis(examine(store))}[check]


def test_a_healthy_store_passes_every_check(store, make, alive):
    make(records=lambda t: [llm(t, 5), tool(t, 5)])
    make(**alive)
    assert [finding.state for finding in check_commis(examine(store))] == ["ok"] * 7
    assert is_fine(check_root(store))


def test_a_missing_root_fails_with_a_cure_that_makes_one(tmp_path):
    finding = check_root(CommisStore(tmp_path / "no where"))
    assert finding.state == "failed"
    assert finding.cure is not None
    assert shlex.split(finding.cure)[-1] == str(tmp_path / "no where")


def test_a_root_that_is_a_file_fails(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        finding = check_root(CommisStore(root))
        assert finding.state == "failed"
        # A demo could not be written there either.
        assert finding.cure is not None
        assert "zerg-visibility" not in finding.cure


def test_a_root_on_which_nothing_can_be_written_fails():
    # Not even root can make a file there, so this holds for every user.
    finding = check_root(CommisStore("/proc/self"))
    assert finding.state == "failed"
    assert "cannot be written to" in finding.summary


def test_checking_the_root_leaves_nothing_behind(store, make):
    make()
    before = sorted(store.root.rglob("*"))
    check_root(store)
    assert sorted(store.root.rglob("*")) == before


def test_calls_without_records_are_found(store, make):
    made = make(records=lambda t: [llm(t, 5)])
    (store.folder(made.commis_id) / "metrics.jsonl").unlink()
    finding = found("metrics", store)
    assert (finding.state, made.commis_id in finding.details[0]) == ("warning", True)
    assert finding.cure == f"ls -la {store.folder(made.commis_id)}"


def test_a_commis_without_any_call_is_explained(store, make):
    make()
    finding = found("metrics", store)
    assert finding.state == "warning"
    assert finding.cure is not None
    assert "config" in finding.cure


def test_only_those_that_ended_are_said_to_have(store, make, alive, dead):
    for standing in (alive, dead, {"status": "interrupted"}, {}, {"status": "failed"}):
        make(records=lambda t: [llm(t, 5)], **standing)
    make(**dead)  # killed before its first call, which is not for want of a config
    finding = found("metrics", store)
    assert finding.state == "ok"
    assert found("lost commis", store).summary.startswith("2 commis never ended")


def test_a_lost_commis_is_found(store, make, dead):
    make(records=lambda t: [llm(t, 5)])
    make(**dead)
    finding = found("lost commis", store)
    assert finding.state == "warning"
    assert finding.cure == f"zerg-visibility show 2 --root {store.root}"


def test_zero_durations_are_explained_as_the_specification_does(store, make):
    make(records=lambda t: [llm(t, 0)], duration_ms=0)
    finding = found("durations", store)
    assert is_fine(finding)
    assert "less than 1 ms" in finding.summary
    assert any("microseconds" in detail for detail in finding.details)


def test_a_duration_of_zero_that_cannot_be_true_is_found(store, make):
    make(records=lambda t: [llm(t, 500)], duration_ms=0)
    assert found("durations", store).state == "warning"


def test_unreadable_metadata_fails_and_missing_metadata_warns(store, make):
    missing, broken = make(), make()
    (store.folder(missing.commis_id) / "metadata.json").unlink()
    assert found("metadata", store).state == "warning"
    (store.folder(broken.commis_id) / "metadata.json").write_text("{")
    finding = found("metadata", store)
    assert finding.state == "failed"
    assert broken.commis_id in finding.details[0]
    # One unreadable file is one finding.
    assert is_fine(found("lost commis", store))


def test_torn_lines_are_found_but_not_while_they_are_written(store, make, alive):
    for made in (make(**alive), make()):
        with (store.folder(made.commis_id) / "metrics.jsonl").open("a") as file:
            file.write('{"torn')
    finding = found("lines", store)
    assert finding.state == "warning"
    assert finding.summary.startswith("1 commis")
    assert "job 2" in finding.details[0]


def test_dropped_records_are_counted(store, make):
    make(dropped_records=2)
    make(dropped_records=3)
    finding = found("dropped", store)
    assert finding.state == "warning"
    assert finding.summary.startswith("2 commis left out records")
    assert [detail.rpartition(": ")[2] for detail in finding.details[:2]] == [
        "3 records",
        "2 records",
    ]


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (GOOD, "ok"),
        (BARE, "failed"),
        (BARE + GOOD, "ok"),
        ("something else\n", "warning"),
        ("", "warning"),
        ("x" * 3_000_000 + "\n" + GOOD, "ok"),
    ],
    ids=["good", "bare", "mended", "of others", "empty", "long"],
)
def test_a_log_file_is_judged_by_its_latest_line(tmp_path, content, state):
    (tmp_path / "log").write_text(content)
    assert check_log_file(tmp_path, tmp_path / "log").state == state


def test_a_missing_log_file_fails_only_if_it_was_asked_for(tmp_path):
    assert check_log_file(tmp_path, None).state == "warning"
    assert check_log_file(tmp_path, tmp_path / "no").state == "failed"
    assert check_log_file(tmp_path, tmp_path).state == "failed"


def test_a_pipe_is_no_log_file_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert check_log_file(tmp_path, tmp_path / "pipe").state == "failed"


def test_the_trial_records_and_logs():
    findings = list(check_trial())
    assert [finding.check for finding in findings] == ["recording", "log lines", "blockbuster"]
    assert all(map(is_fine, findings))
    assert findings[0].summary.endswith(" 3 records.")
    assert "4 lines" in findings[1].summary


def test_a_trial_that_raises_is_a_failed_check_and_the_only_one(monkeypatch):
    from zerg_visibility.doctor import probe

    def broken(root):
        raise ValueError("no such thing")

    monkeypatch.setattr(probe, "run_probe", broken)
    [finding] = check_trial()
    assert (finding.check, finding.state) == ("recording", "failed")
    assert finding.details == ("ValueError: no such thing",)


def test_logging_that_is_disabled_is_found():
    logging.disable(logging.INFO)
    try:
        finding = {finding.check: finding for finding in check_trial()}["log lines"]
    finally:
        logging.disable(logging.NOTSET)
    assert finding.state == "failed"


def test_the_trial_leaves_logging_as_it_was():
    logger = logging.getLogger("zerg_visibility")
    before = (list(logger.handlers), logger.level, logger.propagate)
    list(check_trial())
    assert (list(logger.handlers), logger.level, logger.propagate) == before


def test_warnings_leave_the_exit_code_at_0(store, make):
    make(dropped_records=1)
    done = zerg("doctor", "--root", store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning dropped" in done.stdout
    assert "try: " in done.stdout


def test_a_failed_check_makes_it_1(tmp_path):
    done = zerg("doctor", "--root", tmp_path / "nowhere")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("failed  store")


def test_json_has_every_finding(store, make, tmp_path):
    make(records=lambda t: [llm(t, 5)])
    (tmp_path / "log").write_text(GOOD)
    arguments = ["doctor", "--json", "--root", str(store.root), "--log", str(tmp_path / "log")]
    done = CliRunner().invoke(cli, arguments)
    document = json.loads(done.stdout)
    assert (done.exit_code, document["ok"]) == (0, True)
    assert [(finding["check"], finding["state"]) for finding in document["findings"]] == [
        (check, "ok")
        for check in ("store", "recording", "log lines", "blockbuster", "log file", "concierge",
                      "jobs", "access", "metadata", "metrics", "lost commis", "durations",
                      "lines", "dropped")
    ]  # fmt: skip
    assert set(document["findings"][0]) == {"check", "state", "summary", "details", "cure"}


def diagnosed(store) -> dict[str, str]:
    """Give the state of each check, as found by a user whom permissions bind."""
    done = bound_zerg("doctor", "--json", "--root", store.root)
    assert done.stderr == ""
    return {one["check"]: one["state"] for one in json.loads(done.stdout)["findings"]}


def test_a_store_that_may_not_be_read_is_a_finding_and_ends_nothing(store, make):
    make()
    log = store.root / "logs" / "backend" / "backend.log"
    log.parent.mkdir(parents=True)
    log.write_text(GOOD)
    with closed(store.root):
        states = diagnosed(store)
        done = bound_zerg("doctor", "--root", store.root)
    assert states == {
        "store": "failed", "recording": "ok", "log lines": "ok", "blockbuster": "ok",
        "log file": "failed", "concierge": "failed", "jobs": "failed",
    }  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("7 checks: 4 failed, 0 to look at.\n")


@pytest.mark.parametrize("name", ["commis", "jobs", "concierge", "jobs/1", "logs/backend"])
def test_a_part_that_may_not_be_read_is_a_finding(store, make, name):
    make()
    (store.root / "concierge").mkdir()
    (store.root / "logs" / "backend").mkdir(parents=True)
    with closed(store.root / name):
        states = diagnosed(store)
    check = {"commis": "access", "jobs/1": "jobs", "logs/backend": "log file"}.get(name, name)
    assert states[check] == "failed"
    assert states["recording"] == "ok"


@pytest.mark.parametrize("name", ["", "metadata.json", "metrics.jsonl"])
def test_a_commis_that_may_not_be_read_is_one_finding(store, make, name):
    make(records=lambda t: [llm(t, 5)])
    theirs = make(records=lambda t: [llm(t, 5)])
    with closed(store.folder(theirs.commis_id) / name):
        states = diagnosed(store)
    assert [check for check, state in states.items() if state != "ok"] == ["log file", "access"]
    assert states["dropped"] == "ok"  # it is the last one


def test_runs_without_any_commis_are_told(store, make):
    assert is_fine(check_outside(store))
    store.write_file(
        store.root / "concierge" / "2025-12-15T04-08-08_01234567" / "metrics.jsonl", b""
    )
    finding = check_outside(store)
    assert finding.state == "warning"
    assert f"zerg-visibility list --runs --root {store.root}" in finding.details[0]
    assert "create_commis_node" in (finding.cure or "")
    make()
    finding = check_outside(store)
    assert is_fine(finding)
    assert finding.summary.startswith("1 concierge run: zerg-visibility list --runs")


def test_the_log_of_a_demo_is_found_below_the_root(store, make):
    make()
    log = store.root / "logs" / "backend" / "backend.log"
    log.parent.mkdir(parents=True)
    log.write_text(GOOD)
    done = CliRunner().invoke(cli, ["doctor", "--root", str(store.root)])
    assert f"ok      log file    The lines in {log} carry their fields." in done.stdout


def test_what_others_wrote_does_not_reach_the_terminal(store, make, tmp_path):
    made = make()
    (store.folder(made.commis_id) / "metadata.json").write_text('{"name": "\x1b[31m"}')
    (tmp_path / "log").write_text("\x1b[41m tool_call_complete\n")
    code = (
        "import sys; from zerg_visibility.cli.main import main; sys.exit("
        f"0 if main(['doctor', '--root', {str(store.root)!r}, '--log', {str(tmp_path / 'log')!r}])"
        " == 1 else 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_on_a_terminal_it_fits(store, make):
    make()
    screen = in_terminal(80, "doctor", "--root", store.root)
    cures = [line for line in screen.lines if line.lstrip().startswith("try: ")]
    rest = [line for line in screen.lines if line not in cures]
    assert cures
    assert all(len(line) <= 80 for line in rest)
    assert screen.styles_of("ok      ") == {"32"}
