import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from tests.bound import closed
from tests.cli.samples import SECOND, append, bound_zerg, environment, llm, run, tool
from tests.cli.terminal import in_terminal
from zerg_visibility.cli.main import cli


def replayed(store, *arguments) -> list[str]:
    command = ["tail", "--from-start", "--exit-when-idle", "0", "--root", str(store.root)]
    done = CliRunner().invoke(cli, [*command, *arguments])
    assert done.exit_code == 0
    return done.stdout.splitlines()


@contextmanager
def tailing(store, *arguments):
    # A shell starts what runs in its background, this suite perhaps, with SIGINT ignored, and a
    # child would inherit that; a handler is not inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "zerg_visibility", "tail", "--root", store.root, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_each_record_is_a_line_with_what_became_of_it(store, make):
    make(
        "Back up\nthe shop",
        lambda t: [
            llm(t, 1200, phase="initial"),
            tool(t + 2 * SECOND, 98, success=False, error="E: \x1b[31mno"),
            run(t + 3 * SECOND, 10, name="checker", job_id=7, status="timeout"),
        ],
        name="backup",
        begun_us=1_765_771_688_000_000,
    )
    assert [" ".join(line.split()) for line in replayed(store)] == [
        "04:08:08 1 backup started: Back up the shop",
        "04:08:09 1 backup llm gpt-5-mini initial 1.2s ok 1,234 tokens",
        "04:08:10 1 backup tool ssh_exec 98ms failed E: [31mno",
        "04:08:11 1 backup commis checker (job 7) 10ms timeout",
        "04:08:11 1 backup success after 3.0s",
    ]


def test_json_lines_are_those_of_the_file_with_their_job(store, make):
    made = make("Back up", lambda t: [llm(t, 1200), run(t, 5, job_id=7, name="nested")])
    with (store.folder(made.commis_id) / "metrics.jsonl").open("a") as file:
        file.write('{"event":"tool_call","start_ts":"2025-12-15T04:08:08Z",'
                   '"end_ts":"2025-12-15T04:08:09Z","of_a_later_version":1}\nbroken\n')  # fmt: skip
    lines = [json.loads(line) for line in replayed(store, "--json")]
    first, second = store.records(made.commis_id).items[:2]
    by_event = {line["event"]: line for line in lines}
    assert by_event["llm_call"] == {"job_id": 1, **first.to_dict()}
    assert by_event["commis_run"] == second.to_dict()  # the nested job is what it is about
    assert by_event["tool_call"]["of_a_later_version"] == 1
    assert by_event["line_unreadable"] == {
        "event": "line_unreadable", "job_id": 1, "commis_id": made.commis_id,
    }  # fmt: skip
    assert by_event["commis_started"]["task"] == "Back up"
    assert by_event["commis_ended"]["status"] == "success"
    assert by_event["commis_ended"]["duration_ms"] == made.duration_ms


def test_it_waits_for_the_store_then_tells_each_line_at_once(store, make, alive):
    with tailing(store) as tail:
        assert str(store.root) in tail.stderr.readline()
        made = make("Back up", **alive)
        assert "started: Back up" in tail.stdout.readline()
        append(store, made.commis_id, tool(make.begun_us, 5, tool="read_file"))
        assert "read_file" in tail.stdout.readline()
        store.save_metadata(replace(made, status="success", duration_ms=5))
        assert "success after 5ms" in tail.stdout.readline()


def test_ctrl_c_ends_it_well(store, make, alive):
    make("at work", **alive)
    with tailing(store) as tail:
        tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        assert tail.wait(timeout=20) == 0
        assert tail.stderr.read() == ""


def test_it_ends_by_itself_only_when_no_commis_is_at_work(store, make, alive):
    made = make("at work", **alive)
    with tailing(store, "--exit-when-idle", "0") as tail:
        tail.stdout.readline()
        # A second commis is seen, so it went on although nothing was new for a while.
        make("next")
        assert "started: next" in tail.stdout.readline()
        assert "success" in tail.stdout.readline()
        assert tail.poll() is None
        store.save_metadata(replace(made, status="success"))
        assert tail.wait(timeout=20) == 0


def test_a_reader_that_leaves_ends_it_well(store, make, alive):
    made = make("at work", **alive)
    with tailing(store) as tail:
        tail.stdout.readline()
        tail.stdout.close()
        append(store, made.commis_id, tool(make.begun_us, 5))
        assert tail.wait(timeout=20) == 0
        assert tail.stderr.read() == ""
        tail.stdout = None


def test_a_reader_that_leaves_is_noticed_though_nothing_new_comes(store, make):
    make("quiet")
    with tailing(store, "--from-start") as tail:
        tail.stdout.readline()
        tail.stdout.close()
        assert tail.wait(timeout=20) == 0
        assert tail.stderr.read() == ""
        tail.stdout = None


def test_a_root_that_is_a_file_is_not_waited_for(store):
    store.root.write_text("")
    with tailing(store) as tail:
        assert tail.wait(timeout=20) == 1
        assert "is not a folder" in tail.stderr.read()


@pytest.mark.parametrize("name", ["", "commis", "jobs"])
def test_a_store_that_may_not_be_read_is_an_error(store, make, name):
    make()
    with closed(store.root / name):
        done = bound_zerg("tail", "--exit-when-idle", "0", "--root", store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the store's folder ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["jobs/1", "commis/{}"])
def test_a_commis_that_may_not_be_read_hides_no_other(store, make, name):
    theirs = make("theirs")
    make("fine")
    with closed(store.root / name.format(theirs.commis_id)):
        done = bound_zerg("tail", "--from-start", "--exit-when-idle", "0", "--root", store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "started: fine" in done.stdout


def test_a_store_that_becomes_a_file_while_it_is_waited_for_is_an_error(store):
    with tailing(store) as tail:
        assert str(store.root) in tail.stderr.readline()
        store.root.write_text("")
        assert tail.wait(timeout=20) == 1
        assert "is not a folder" in tail.stderr.read()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_long_names_move_no_time(store, make, width):
    make(records=lambda t: [llm(t, 1200), tool(t + 2 * SECOND, 1300, tool="ls")])
    make(
        records=lambda t: [
            llm(t, 1400, model="anthropic/claude-sonnet-4-5-20250929", phase="synthesis"),
            tool(t + 2 * SECOND, 1500, tool="search_the_whole_knowledge_base_for_anything"),
            run(t + 4 * SECOND, 1600, name="备份数据库" * 4, job_id=7, status="success"),
        ],
        name="备份数据库备份数据库",
    )
    arguments = ["tail", "--from-start", "--exit-when-idle", "0", "--root", store.root]
    lines = in_terminal(width, *arguments).lines
    columns = set()
    for took in (" 1.2s", " 1.3s", " 1.4s", " 1.5s", " 1.6s"):
        (line,) = [line for line in lines if took in line]
        columns.add(cell_len(line[: line.index(took)]))
    assert len(columns) == 1
    # The phase gives way to the model where both do not fit.
    label = next(line for line in lines if " 1.4s" in line)
    assert {60: "anthropic/cla…", 80: "anthropic/claude-…", 120: "20250929 synthesis"}[
        width
    ] in label
    assert any("(job 7)" in line for line in lines)


def test_texts_are_cut_on_a_terminal_and_whole_in_a_pipe(store, make):
    error = "APIStatusError: " + "wait " * 90 + "and the limit is 3"
    make(
        "a task " * 50,
        lambda t: [tool(t, 5, success=False, error=error)],
        status="failed",
        error=error,
    )
    arguments = ["tail", "--from-start", "--exit-when-idle", "0", "--root", store.root]
    started, call, why, ended = in_terminal(80, *arguments).lines
    assert call.endswith("  failed")
    assert why.startswith(" " * 16 + "APIStatusError: wait")
    assert "failed after 5ms: APIStatusError" in ended
    assert [(cell_len(line), line[-1]) for line in (started, why, ended)] == [(80, "…")] * 3
    assert [line.endswith(error) for line in replayed(store)] == [False, True, True]


def test_an_answer_that_was_cut_off_says_so(store, make):
    make(records=lambda t: [llm(t, 5, finish_reason="length")])
    assert "5ms  cut off  1,234 tokens" in replayed(store)[1]


def test_a_retry_says_so(store, make):
    make(
        records=lambda t: [
            llm(t, 5, attempt=2, phase="initial"),
            tool(t, 5, attempt=3),
            tool(t, 5, attempt=1, tool="first"),
        ]
    )
    text = " ".join(" ".join(replayed(store)).split())
    assert "gpt-5-mini try 2 initial 5ms" in text
    assert "ssh_exec try 3 5ms" in text
    assert "first 5ms" in text


def test_a_pipe_gets_names_whole(store, make):
    name = "anthropic/claude-sonnet-4-5-20250929"
    make(records=lambda t: [llm(t, 5, model=name, phase="synthesis")])
    assert any(f" {name} synthesis " in line for line in replayed(store))


def test_on_a_usual_terminal_no_number_is_cut(store, make):
    make(records=lambda t: [llm(t, 1200, total_tokens=123_456, phase="initial")])
    arguments = ["tail", "--from-start", "--exit-when-idle", "0", "--root", store.root]
    call = in_terminal(80, *arguments).lines[1]
    assert call.endswith("llm     gpt-5-mini initial     1.2s  ok  123k tok")
