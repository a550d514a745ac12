import os
import re
from itertools import combinations
from pathlib import Path

import pytest

from tests.demo.conftest import REPOSITORY, concierge_records, demo, raw_records
from tests.model_server import answers, serving
from zerg_visibility import CommisStore, VisibilityError
from zerg_visibility.demo.job import run_demo
from zerg_visibility.read.timeline import timeline
from zerg_visibility.settings import DEFAULT_LOG_PATH

NAMES = {"access", "disk-use", "duplicates", "line-counts"}


@pytest.fixture(scope="module")
def process(known_folder, tmp_path_factory):
    """The demo as a user starts it, on some thousand files, with a store of its own."""
    cwd = tmp_path_factory.mktemp("cwd")
    return demo(known_folder.path, "--root", "data", cwd=cwd), CommisStore(cwd / "data")


def jobs_by_name(store: CommisStore):
    return {job.name: job for job in store.recent()}


def test_it_ends_well_and_prints_no_warning(process):
    run, _ = process

    assert (run.returncode, run.stderr) == (0, "")


def test_every_commis_is_a_job_that_succeeded(process):
    _, store = process
    jobs = list(store.recent())

    assert {job.name for job in jobs} == NAMES
    assert sorted(job.job_id or 0 for job in jobs) == [1, 2, 3, 4]
    assert {job.status for job in jobs} == {"success"}
    assert all(job.dropped_records == 0 for job in jobs)


def test_tier_1_tells_each_execution_time_and_what_was_found(process, known_folder):
    run, store = process
    tier_1 = run.stdout.split("Tier 1")[1].split("Tier 2")[0]
    said = " ".join(tier_1.split())

    assert tier_1.count("Execution time: ") == 4
    for job in store.recent():
        assert f"Job {job.job_id} ({job.name}) Execution time: " in said
        assert " ".join((store.result(job.commis_id) or "").split()) in said
    assert f"{known_folder.files:,} files in {known_folder.folders} folders" in said
    assert "Largest: largest.bin (500.0 kB), copy-one.dat (20.0 kB)" in said
    assert "2 groups, wasting 45.0 kB; most of it copy-one.dat = copy-three.dat and 1 more" in said
    assert f"hold {known_folder.lines:,} lines" in said
    assert "A call failed: FileNotFoundError: no such file in the folder" in said
    assert "The slowest was job " in said


def test_tier_2_shows_lines_of_the_file_that_it_names(process):
    run, store = process
    tier_2 = run.stdout.split("Tier 2")[1].split("Tier 3")[0].splitlines()

    access = jobs_by_name(store)["access"]
    assert tier_2[1] == f"data/commis/{access.commis_id}/metrics.jsonl"
    assert (store.root.parent / tier_2[1]).is_file()
    assert sum(line.startswith('{"event":"') for line in tier_2) == 3


def test_tier_3_shows_log_lines_with_the_failure_among_them(process):
    run, store = process
    tier_3 = run.stdout.split("Tier 3")[1].split("Look further")[0]

    assert f"data/{DEFAULT_LOG_PATH}" in tier_3
    for message in ("llm_call_complete", "tool_call_complete", "commis_complete"):
        assert f" INFO {message} " in tier_3
    assert "success=False" in tier_3
    log = (store.root / DEFAULT_LOG_PATH).read_text()
    assert log.count("commis_complete commis_name=") == 4


def test_lines_fit_a_narrow_terminal_save_for_what_is_to_be_pasted(process):
    run, _ = process

    shown = run.stdout.split("Look further")[0].splitlines()
    too_long = [line for line in shown if len(line) > 80 and "/" not in line]
    assert too_long == []


def test_durations_are_not_zero_and_add_up(process):
    _, store = process
    for job in store.recent():
        records = store.records(job.commis_id).items
        calls = timeline(records, None)
        assert job.duration_ms is not None
        assert job.wall_ms is not None
        assert 0 < calls.busy_ms <= job.duration_ms <= job.wall_ms + 1
        assert calls.busy_ms <= calls.llm_ms + calls.tool_ms + 1
        assert calls.tool_ms > 0
        assert job.totals == calls.totals
        for record in records:
            assert job.started_us is not None
            assert job.started_us <= record.start_us <= record.end_us


def test_commis_run_in_parallel(process):
    _, store = process
    runs = [record for record in concierge_records(store) if record["event"] == "commis_run"]

    assert {run["name"] for run in runs} == NAMES
    overlapping = [
        (one["name"], other["name"])
        for one, other in combinations(runs, 2)
        if one["start_ts"] < other["end_ts"] and other["start_ts"] < one["end_ts"]
    ]
    assert overlapping


def test_the_failing_tool_is_recorded_as_failed_and_its_commis_goes_on(process):
    _, store = process
    job = jobs_by_name(store)["access"]

    tools = [r for r in raw_records(store, job.commis_id) if r["event"] == "tool_call"]
    assert [(tool["tool"], tool["success"]) for tool in tools] == [
        ("unreadable_files", True),
        ("hash_file", False),
    ]
    assert tools[1]["error"] == (
        "FileNotFoundError: no such file in the folder: missing-on-purpose.txt"
    )
    assert (job.status, job.totals.tool_failures) == ("success", 1)


def test_tokens_and_models_are_recorded(process):
    _, store = process
    for job in store.recent():
        calls = [r for r in raw_records(store, job.commis_id) if r["event"] == "llm_call"]
        assert [call["phase"] for call in calls][:1] == ["initial"]
        assert calls[-1]["phase"] == "synthesis"
        assert {call["model"] for call in calls} == {"offline-demo"}
        assert all(call["prompt_tokens"] > 50 for call in calls)
        assert job.totals.calls_without_usage == 0
        assert job.totals.total_tokens == sum(call["total_tokens"] for call in calls)


def test_the_concierge_gets_results_and_metrics_from_its_tools(process):
    _, store = process

    tools = [r["tool"] for r in concierge_records(store) if r["event"] == "tool_call"]

    assert sorted(tools) == sorted([*NAMES, "get_commis_metrics"])


def test_the_commands_that_it_prints_work_when_pasted(process, jq_on_path, bash):
    run, store = process
    commands = run.stdout.split("Look further")[1].splitlines()[1:]

    assert len(commands) == 8
    outputs = {}
    for command in commands:
        if " tail " in command:
            continue  # it follows the log until it is stopped
        outputs[command] = bash(command, store.root.parent)
    assert all(output.strip() for output in outputs.values())
    assert any('"tool":"hash_file"' in output for output in outputs.values())
    assert any("tool=hash_file" in output for output in outputs.values())


def test_running_it_twice_gives_new_jobs(known_folder, tmp_path, screen):
    for _ in range(2):
        run_demo(known_folder.path, root=tmp_path, model=None, console=screen.console)

    assert sorted(job.job_id or 0 for job in CommisStore(tmp_path).recent()) == list(range(1, 9))
    assert screen.text.count("Tier 1") == 2


def test_the_current_folder_and_the_store_within_it_are_the_default(tmp_path):
    (tmp_path / "only.txt").write_text("one\ntwo\n")

    run = demo(cwd=tmp_path)

    assert (run.returncode, run.stderr) == (0, "")
    assert "1 file in 1 folder hold" in " ".join(run.stdout.split())
    assert "\n" + "zerg-data/commis/" in run.stdout
    look_further = run.stdout.split("Look further")[1]
    assert "--root" not in look_further


def test_an_empty_folder_is_inspected_too(tmp_path, screen):
    folder = tmp_path / "empty"
    folder.mkdir()

    run_demo(folder, root=tmp_path / "data", model=None, console=screen.console)

    assert "The folder holds no files." in screen.text
    assert "There are no text files." in screen.text


def test_odd_names_and_unreadable_files_are_survived(tmp_path, screen):
    folder = tmp_path / "odd [bold]folder[" / "bold]"
    folder.mkdir(parents=True)
    (folder / "new\nline.txt").write_text("x")
    (folder / "\x1b[31mred.txt").write_text("x" * 50)
    (folder / "[link=evil]日本語.md").write_text("ä")
    (folder / os.fsdecode(b"\xff\xfe")).write_text("y")
    locked = folder / "locked.txt"
    locked.write_text("z")
    locked.chmod(0)
    may_read = os.access(locked, os.R_OK)

    run_demo(folder, root=tmp_path / "data", model=None, console=screen.console)

    assert "\x1b" not in screen.text
    assert "[bold]folder[/bold]" in screen.text
    expected = "All 5 files can be read." if may_read else "1 of 5 files cannot be read: locked.txt"
    assert expected in screen.words


def test_logging_is_left_as_it_was(known_folder, tmp_path, screen, caplog):
    import logging

    logger = logging.getLogger("zerg_visibility")
    before = (list(logger.handlers), logger.level)

    run_demo(known_folder.path, root=tmp_path, model=None, console=screen.console)

    assert (list(logger.handlers), logger.level) == before


def test_nothing_is_sent_to_langsmith_even_where_it_is_turned_on(tmp_path):
    with serving(answers("no")) as langsmith:
        run = demo(
            cwd=tmp_path,
            LANGSMITH_TRACING="true",
            LANGSMITH_API_KEY="not-a-key",
            LANGSMITH_ENDPOINT=langsmith.url,
        )

    # A process hands over its traces before it ends, so by now they would have come.
    assert (run.returncode, run.stderr) == (0, "")
    assert langsmith.connections == 0


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_folder_is_refused_in_one_line(tmp_path, screen, kind):
    path = tmp_path / "thing"
    if kind == "file":
        path.touch()

    with pytest.raises(VisibilityError, match=r"there is no folder .*thing to inspect"):
        run_demo(path, root=tmp_path / "data", model=None, console=screen.console)

    run = demo(path, cwd=tmp_path)
    assert run.returncode == 1
    assert re.fullmatch(r"Error: [^\n]*thing[^\n]*\n", run.stderr)


def test_a_store_that_cannot_be_made_is_refused_in_one_line(tmp_path, screen):
    (tmp_path / "file").touch()

    with pytest.raises(VisibilityError, match=r"cannot be written to .*--root"):
        run_demo(tmp_path, root=tmp_path / "file" / "x", model=None, console=screen.console)


def test_a_store_in_which_no_commis_can_be_stored_is_told_of(tmp_path, screen):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "commis").touch()

    with pytest.raises(VisibilityError, match="none could be stored in "):
        run_demo(tmp_path, root=tmp_path / "data", model=None, console=screen.console)


def test_only_core_dependencies_are_imported():
    sources = (REPOSITORY / "zerg_visibility" / "demo").glob("*.py")
    imported = {
        match
        for source in sources
        for match in re.findall(r"^(?:from|import) (\w+)", Path(source).read_text(), re.MULTILINE)
    }

    assert "langchain" not in imported
    assert "langchain_openai" not in imported
