import json
import time

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from tests.bound import closed
from tests.cli.samples import SECOND, bound_zerg, llm, tool, zerg
from tests.cli.terminal import in_terminal
from zerg_visibility.cli.main import cli


def listed(store, *arguments) -> list[list[str]]:
    """Give the cells of the plain list, its headings left out."""
    done = CliRunner().invoke(cli, ["list", "--root", str(store.root), *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    return [line.split("\t") for line in done.stdout.splitlines()][1:]


def test_a_commis_is_one_line_of_tab_separated_cells(store, make):
    make(
        "Back up\nthe \tshop " + "and more " * 20,
        lambda t: [llm(t, 1500), tool(t + 1_500_000, 500), tool(t, 100, success=False)],
        name="backup",
    )
    done = CliRunner().invoke(cli, ["list", "--root", str(store.root)])
    headings, row = (line.split("\t") for line in done.stdout.splitlines())
    cells = dict(zip(headings, row, strict=True))
    assert cells.pop("age") == "10m"
    assert cells == {
        "job": "1",
        "status": "success",
        "time": "2.0s",
        "llm": "1",
        "tool": "2",
        "fail": "1",
        "tokens": "1234",
        "name": "backup",
        "task": ("Back up the shop " + "and more " * 20).strip(),
    }


def test_the_newest_is_first_and_the_limit_holds(store, make):
    for number in range(25):
        make(f"task {number}")
    assert [row[0] for row in listed(store)] == [str(n) for n in range(25, 5, -1)]
    assert [row[0] for row in listed(store, "--limit", "2")] == ["25", "24"]


def test_status_and_age_choose(store, make, dead):
    make("old", begun_us=make.begun_us - 7200 * SECOND)
    make("fine")
    make("broken", status="failed", error="ValueError: no")
    make("gone", **dead)
    assert [row[8] for row in listed(store, "--status", "failed")] == ["broken"]
    assert [row[8] for row in listed(store, "--status", "lost")] == ["gone"]
    assert [row[8] for row in listed(store, "--since", "1")] == ["gone", "broken", "fine"]
    both = listed(store, "--status", "lost", "--status", "success")
    assert [row[8] for row in both] == ["gone", "fine", "old"]
    assert [row[8] for row in listed(store, "--status", "failed", "--limit", "1")] == ["broken"]
    assert "--status" in CliRunner().invoke(
        cli, ["list", "--root", str(store.root), "--status", "timeout"]
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("since", "tasks"),
    [
        ("90m", ["an hour ago"]),
        ("1.5h", ["an hour ago"]),
        ("1.5", ["an hour ago"]),
        ("47h", ["an hour ago"]),
        ("2d", ["an hour ago", "yesterday"]),
        ("30m", []),
    ],
)
def test_since_takes_minutes_hours_and_days(store, make, since, tasks):
    now_us = time.time_ns() // 1000
    make("yesterday", begun_us=now_us - 47 * 3600 * SECOND - SECOND)
    make("an hour ago", begun_us=now_us - 3600 * SECOND)
    assert [row[8] for row in listed(store, "--since", since) if len(row) > 1] == tasks


def test_an_empty_store_gets_a_sentence_that_names_this_store(store, tmp_path):
    store.root.mkdir()
    done = CliRunner().invoke(cli, ["list", "--root", str(store.root)])
    assert done.exit_code == 0
    assert done.stdout.endswith(f" zerg-visibility demo --root {store.root}\n")
    done = CliRunner().invoke(cli, ["list", "--json", "--root", str(store.root)])
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    (tmp_path / "zerg-data").mkdir()
    for root in ("zerg-data", str(tmp_path / "zerg-data")):
        done = CliRunner().invoke(cli, ["list", "--root", root])
        assert done.stdout.endswith(" zerg-visibility demo\n")
    (tmp_path / "two words").mkdir()
    done = CliRunner().invoke(cli, ["list", "--root", "two words"])
    assert done.stdout.endswith(f" --root '{tmp_path / 'two words'}'\n")


def test_a_store_with_runs_and_no_commis_says_how_to_see_them(store):
    for number in range(2):
        name = f"2025-12-15T04-08-08_0123456{number}"
        store.write_file(store.root / "concierge" / name / "metrics.jsonl", b"")
    done = CliRunner().invoke(cli, ["list", "--root", str(store.root)])
    assert done.exit_code == 0
    assert done.stdout == (
        f"No commis in {store.root} yet; 2 concierge runs: "
        f"zerg-visibility list --runs --root {store.root}\n"
    )


def test_json_is_one_array_of_what_metadata_json_says(store, make):
    made = [make("one"), make("two", lambda t: [llm(t, 5)])]
    done = CliRunner().invoke(cli, ["list", "--json", "--root", str(store.root)])
    assert json.loads(done.stdout) == [item.to_dict() for item in reversed(made)]


@pytest.mark.parametrize("status", ["alive", "dead"])
def test_one_that_has_not_ended_is_counted_by_its_records(store, make, status, request):
    # Its metadata.json has no totals and no duration yet.
    make(records=lambda t: [llm(t, 5), tool(t, 5)], totals=make().totals,
         **request.getfixturevalue(status))  # fmt: skip
    row = listed(store)[0]
    assert row[1] == {"alive": "running", "dead": "lost"}[status]
    assert row[2].startswith(("9m ", "10m "))
    assert row[3:7] == ["1", "1", "0", "1234"]


def test_tokens_that_nobody_counted_are_not_zero(store, make):
    uncounted = {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}
    make(records=lambda t: [llm(t, 5, **uncounted)])
    make(records=lambda t: [llm(t, 5, **uncounted), llm(t, 5)])
    assert [row[6] for row in listed(store)] == ["1234+", "-"]


def test_one_whose_metadata_is_unreadable_is_listed_all_the_same(store, make):
    broken = make("broken")
    make("fine")
    (store.folder(broken.commis_id) / "metadata.json").write_text("{")
    rows = listed(store)
    assert [row[:2] for row in rows] == [["2", "success"], ["1", "lost"]]
    assert "not readable" in rows[1][8]


@pytest.mark.parametrize("mode", [0, 0o444], ids=["closed", "not to be entered"])
def test_one_that_may_not_be_read_is_one_row_and_hides_no_other(store, make, mode):
    make("fine")
    theirs = make("theirs", begun_us=time.time_ns() // 1000)
    with closed(store.folder(theirs.commis_id), mode=mode):
        done = bound_zerg("list", "--root", store.root)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (line.split("\t") for line in done.stdout.splitlines()[1:])
    assert first[:8] == ["2", "lost", "-", "-", "-", "-", "-", "?"]
    assert first[8].endswith("cannot be read (Permission denied)")
    assert second[8] == "fine"


def test_all_say_the_same_of_one_without_metadata(store, make):
    # Its folder is young, since the file was deleted just now.
    made = make(records=lambda t: [llm(t, 5)])
    (store.folder(made.commis_id) / "metadata.json").unlink()
    assert [row[0] for row in listed(store, "--status", "lost")] == ["1"]
    assert listed(store, "--status", "running") == []
    shown = json.loads(zerg("show", "1", "--json", "--root", store.root).stdout)["metadata"]
    (row,) = json.loads(zerg("list", "--json", "--root", store.root).stdout)
    assert shown == row


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal_each_commis_is_one_coloured_line_that_fits(store, make, width):
    make("备份 " * 60, name="a-name-that-is-rather-long")
    make("markup [red]x[/red] \x1b[31m escape", status="failed",
         records=lambda t: [llm(t, 5, success=False, total_tokens=12_345_678)])  # fmt: skip
    screen = in_terminal(width, "list", "--root", store.root)
    assert len(screen.lines) == 3
    assert all(cell_len(line) <= width for line in screen.lines)
    assert "12.3M" in screen.lines[1]
    assert "[red]x" in screen.lines[1]
    assert screen.styles_of("failed") == {"31"}  # red
    assert screen.styles_of("escape") <= {""}


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (40, "job status time task"),
        (60, "job status time name task age"),
        (80, "job status time llm tool fail tokens name task age"),
    ],
)
def test_on_a_narrow_terminal_the_lesser_columns_go_first(store, make, width, headings):
    make("a task that is far too long for any terminal of such a width, or so it seems",
         lambda t: [llm(t, 135_000, total_tokens=12_345_678)], name="a-name-that-is-rather-long",
         status="interrupted")  # fmt: skip
    head, line = in_terminal(width, "list", "--root", store.root).lines
    assert head.split() == headings.split()
    assert line.split()[:4] == ["1", "interrupted", "2m", "15s"]
    assert "a task that is" in line
    assert cell_len(line) <= width


def test_a_terminal_asked_for_no_colour_gets_none(store, make):
    make(status="failed")
    assert "\x1b[31m" not in in_terminal(80, "list", "--root", store.root, NO_COLOR="1").raw
