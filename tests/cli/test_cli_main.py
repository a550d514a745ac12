import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.bound import closed
from tests.cli.samples import REPOSITORY, bound_zerg, environment, llm, zerg
from zerg_visibility import CommisStore
from zerg_visibility.cli.main import main


def fails(code, *arguments, **more):
    """Run a command that must fail with one line on stderr, and give that line."""
    done = zerg(*arguments, **more)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_without_a_command_there_is_a_short_help():
    done = zerg()
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("demo", "list", "show", "tail", "doctor"):
        assert f"  {command} " in done.stdout
    assert len(done.stdout.splitlines()) < 20


@pytest.mark.parametrize("command", ["demo", "list", "show", "tail", "doctor"])
def test_every_command_has_help_and_a_root(command):
    done = zerg(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--root" in done.stdout
    assert ("--json" in done.stdout) == (command != "demo")


@pytest.mark.parametrize(
    "arguments",
    [
        ["lsit"],
        ["--nonsense"],
        ["show"],
        ["show", "1", "2"],
        ["list", "--limit", "0"],
        ["list", "--limit", "many"],
        ["list", "--status", "bored"],
        ["list", "--since", "nan"],
        ["list", "--since", "-1"],
        ["list", "--since", "0m"],
        ["list", "--since", "1w"],
        ["list", "--since", ""],
        ["demo", "--model", "gpt-4"],
        ["demo", "--model", "openai:"],
        ["list", "--root", ""],
        ["tail", "--exit-when-idle", "-1"],
    ],
)
def test_wrong_usage_is_2_and_names_the_help(arguments):
    assert re.search(r"[.?] Try: zerg-visibility.* --help$", fails(2, *arguments))


def test_the_version_is_that_of_the_package():
    done = zerg("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"zerg-visibility {version('zerg-visibility')}\n"


@pytest.mark.parametrize("arguments", [["list"], ["show", "1"]])
def test_a_root_that_is_not_there_is_1_and_says_what_to_do(tmp_path, arguments):
    line = fails(1, *arguments, "--root", tmp_path / "nowhere")
    assert line.endswith(f"zerg-visibility demo --root {tmp_path / 'nowhere'}\n")
    assert "ZERG_VISIBILITY_ROOT" in line


def test_a_root_that_is_a_file_is_1(tmp_path):
    (tmp_path / "file").write_text("")
    line = fails(1, "list", "--root", tmp_path / "file")
    assert "is not a folder" in line
    assert "demo" not in line


def test_an_unknown_job_is_1_and_names_the_latest(store, make):
    make()
    make()
    assert "Latest jobs: 2, 1." in fails(1, "show", "99", "--root", store.root)


@pytest.mark.parametrize("job", ["../../etc/passwd", "\x1b[31m", "a\nb", "0", "1; rm"])
def test_an_impossible_job_is_1_on_one_harmless_line(store, make, job):
    make()
    assert "\x1b" not in fails(1, "show", job, "--root", store.root)


def test_a_folder_that_demo_cannot_find_is_1(tmp_path):
    assert "nowhere" in fails(1, "demo", tmp_path / "nowhere", "--root", tmp_path)


def test_a_store_that_demo_cannot_write_is_1_and_names_the_option(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    with closed(root, mode=0o555):
        done = bound_zerg("demo", tmp_path, "--root", root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: the store {root} cannot be written to (Permission denied); "
        "give a folder that you may write to with --root\n"
    )


def test_a_fault_inside_is_one_line_too(store, make, monkeypatch, capsys):
    make()

    def broken(*_, **__):
        raise RuntimeError("first\nsecond \x1b[31m")

    monkeypatch.setattr(CommisStore, "recent", broken)
    assert main(["list", "--root", str(store.root)]) == 1
    assert capsys.readouterr() == ("", "Error: RuntimeError: first second [31m\n")


def test_a_request_to_stop_is_1_and_one_line(store, make, monkeypatch, capsys):
    make()

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(CommisStore, "recent", stopped)
    assert main(["list", "--root", str(store.root)]) == 1
    assert capsys.readouterr().err.strip() == "Error: interrupted"


def test_the_root_is_taken_from_either_side_then_the_environment_then_the_default(
    store, make, tmp_path
):
    make("asked for")
    elsewhere = str(tmp_path / "nowhere")
    for arguments, more in (
        (["list", "--root", store.root], {"ZERG_VISIBILITY_ROOT": elsewhere}),
        (["--root", store.root, "list"], {"ZERG_VISIBILITY_ROOT": elsewhere}),
        (["--root", elsewhere, "list", "--root", store.root], {}),
        (["list"], {"ZERG_VISIBILITY_ROOT": str(store.root)}),
    ):
        assert "asked for" in zerg(*arguments, **more).stdout
    store.root.rename(tmp_path / "zerg-data")
    assert "asked for" in zerg("list").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["show", "1"],
        ["tail", "--from-start", "--exit-when-idle", "0"],
    ],
)
def test_a_command_that_only_reads_imports_no_langchain(store, make, arguments):
    make(records=lambda t: [llm(t, 5)])
    code = (
        "import sys\n"
        "from zerg_visibility.cli.main import main\n"
        f"code = main({[*arguments, '--root', str(store.root)]!r})\n"
        "heavy = {'langchain_core', 'langgraph', 'langsmith', 'openai', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_writes_no_colour_imports_no_rich(store, make):
    make()
    code = (
        "import sys\n"
        "from zerg_visibility.cli.main import main\n"
        f"main(['list', '--root', {str(store.root)!r}])\n"
        "assert 'rich' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment())


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show", "1"], ["doctor"]])
def test_a_reader_that_stops_reading_is_no_failure(arguments, store, make):
    for number in range(3):
        make(f"{number} {'x' * 9000}")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "zerg_visibility", *arguments, "--root", str(store.root)],
        stdout=write, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_stdout_is_one_line(store, make):
    make()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zerg_visibility", "list", "--root", str(store.root)],
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "Error: No space left on device\n"


def test_a_narrow_encoding_costs_characters_and_nothing_else(store, make):
    make("备份 the database")
    done = zerg("list", "--root", store.root, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?? the database" in done.stdout
    done = zerg("list", "--json", "--root", store.root, PYTHONIOENCODING="latin-1")
    assert json.loads(done.stdout)[0]["task"] == "备份 the database"


def test_json_holds_nothing_that_a_terminal_obeys(store, make):
    task = "\x1b[31m \x9b2J \u202e \u200b \x7f"
    make(task)
    done = zerg("list", "--json", "--root", store.root)
    assert done.stdout.isascii()
    assert done.stdout.rstrip("\n").isprintable()
    assert json.loads(done.stdout)[0]["task"] == task


def test_the_module_and_the_entry_point_are_the_same():
    code = "import sys; from zerg_visibility.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "show"], capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (2, zerg("show").stderr)
    assert (
        'zerg-visibility = "zerg_visibility.cli.main:main"'
        in (REPOSITORY / "pyproject.toml").read_text()
    )


@pytest.mark.parametrize("arguments", ["list", "list --json", "show 1", "no-such-command"])
def test_closed_outputs_change_nothing_else(arguments, store, make):
    make()
    code = 2 if arguments.startswith("no") else 0
    command = f"'{sys.executable}' -m zerg_visibility --root '{store.root}' {arguments} >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], env=environment()).returncode == code


def test_an_absurd_limit_is_wrong_usage(store, make):
    make()
    assert "1000000" in fails(2, "list", "--limit", "9" * 20, "--root", str(store.root))
