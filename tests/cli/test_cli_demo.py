from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.samples import zerg
from zerg_visibility import VisibilityError
from zerg_visibility.cli.main import cli, main
from zerg_visibility.demo import job


@pytest.fixture
def calls(monkeypatch):
    """What the demo is asked for, instead of running it."""
    seen = []

    def run_demo(path, *, root, model, console):
        seen.append((path, root, model))
        console.print("[red]done[/red]")
        if model == "openai:broken":
            raise VisibilityError("it is broken")

    monkeypatch.setattr(job, "run_demo", run_demo)
    return seen


def test_it_inspects_the_current_folder_offline(calls):
    done = CliRunner().invoke(cli, ["demo"])
    assert (done.exit_code, done.stdout) == (0, "[red]done[/red]\n")
    assert calls == [(Path(), Path("zerg-data"), None)]


def test_path_model_and_root_are_handed_on(calls, tmp_path):
    arguments = ["demo", str(tmp_path), "--model", "openai:gpt-5-mini", "--root", "elsewhere"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert calls == [(tmp_path, Path("elsewhere"), "openai:gpt-5-mini")]


def test_a_job_that_fails_is_exit_code_1(calls, capsys):
    assert main(["demo", "--model", "openai:broken"]) == 1
    assert capsys.readouterr().err == "Error: it is broken\n"


def test_what_it_leaves_can_be_listed_and_shown(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("hello\n")
    done = zerg("demo", folder, "--root", tmp_path / "data")
    assert (done.returncode, done.stderr) == (0, "")
    rows = zerg("list", "--root", tmp_path / "data").stdout.splitlines()
    assert len(rows) > 2
    shown = zerg("show", "1", "--root", tmp_path / "data")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Job 1  success  ")
