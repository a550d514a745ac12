import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from tests.bound import closed
from tests.cli.samples import SECOND, append, bound_zerg, llm, run, start, tool
from tests.cli.terminal import in_terminal
from zerg_visibility.cli.main import cli
from zerg_visibility.clock import format_us
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.metadata import DescendantTotals
from zerg_visibility.store.runs import SegmentRun

HOUR = 3600 * SECOND


def shown(store, job="1") -> str:
    done = CliRunner().invoke(cli, ["show", job, "--root", str(store.root)])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def row(text: str, name: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return line


def bar(line: str) -> tuple[int, int]:
    """Give the first column of a row's bar and its length."""
    drawn = "".join("#" if char in "#|~" else " " for char in line)
    return drawn.index("#"), drawn.count("#")


def test_the_head_says_who_and_how_long(store, make):
    made = make("Back up [red]the shop[/red]", lambda t: [llm(t, 1200)], name="backup")
    text = shown(store)
    assert text.splitlines()[0] == "Job 1  success  backup"
    assert row(text, "commis").split() == ["commis", made.commis_id]
    assert row(text, "task") == "task       Back up [red]the shop[/red]"
    assert row(text, "time") == "time       1.2s"
    assert str(store.folder(made.commis_id)) + "/" in text.splitlines()


def test_labels_are_shown(store, make):
    make(labels={"variant": "b", "x": "\x1b[31m"})
    assert row(shown(store), "labels") == "labels     variant=b, x= [31m"


def test_it_is_found_by_commis_id_too(store, make):
    made = make()
    assert shown(store, made.commis_id) == shown(store, "1")


def test_each_call_is_a_row_with_its_bar_in_place(store, make):
    make(
        records=lambda t: [
            llm(t, 1000, phase="initial"),
            tool(t + SECOND, 2000, tool="read_file"),
            tool(t + SECOND, 1000, tool="ssh_exec"),
            llm(t + 3 * SECOND, 1000, phase="synthesis", total_tokens=5678),
        ]
    )
    text = shown(store)
    initial, final = row(text, "gpt-5-mini initial"), row(text, "gpt-5-mini synthesis")
    reading, ssh = row(text, "read_file"), row(text, "ssh_exec")
    assert initial.split()[-2:] == ["1.0s", "1,234"]
    assert final.split()[-2:] == ["1.0s", "5,678"]
    assert reading.split()[-1] == "2.0s"
    left = bar(initial)[0]
    quarter = (80 - len("     time   tokens") - left) / 4
    # A bar fills each column that it touches, so it may be one too long.
    assert bar(initial) == pytest.approx((left, quarter), abs=1)
    assert bar(ssh) == pytest.approx((left + quarter, quarter), abs=1)
    assert bar(reading) == pytest.approx((left + quarter, 2 * quarter), abs=1)
    assert bar(final) == pytest.approx((left + 3 * quarter, quarter), abs=1)


def test_a_failed_call_has_its_error_below(store, make):
    error = "ConnectError: refused\x1b[31m [bold]by[/bold]\nthe host " + "x" * 100
    make(records=lambda t: [tool(t, 50, success=False, error=error)])
    text = shown(store)
    assert row(text, "ssh_exec").endswith("failed")
    assert "ConnectError: refused [31m [bold]by[/bold] the host " + "x" * 100 in text


def test_a_nested_commis_is_a_row(store, make):
    make(records=lambda t: [run(t, 900, name="checker", job_id=7, status="failed", error="E: no")])
    assert row(shown(store), "checker job 7").endswith("failed")


def test_a_call_in_flight_is_marked_and_is_no_idle_time(store, make, alive):
    make(
        records=lambda t: [llm(t, 1000)],
        starts=lambda t: [
            start(t, "llm_call", "gpt-5-mini", f"{t:016x}"),
            start(t + SECOND, "tool_call", "ssh_exec"),
        ],
        **alive,
    )
    text = shown(store)
    line = row(text, "ssh_exec")
    assert line.endswith("open")
    assert "~~~~" in line
    assert "+" in line  # so long, and still going
    assert row(text, "open").split()[-5:] == ["1", "call", "without", "an", "end"]
    assert row(text, "other").split()[1] == "0ms"
    assert "so far" in row(text, "time")
    assert "last sign of life" in row(text, "process")


def test_a_lost_commis_says_what_it_was_doing(store, make, dead):
    make(starts=lambda t: [start(t + SECOND, "tool_call", "ssh_exec")], **dead)
    text = shown(store)
    assert text.startswith("Job 1  lost  ")
    assert "until its last sign of life" in row(text, "time")
    assert f"process {dead['pid']}" in row(text, "lost")
    assert row(text, "ssh_exec").endswith("open")


def test_hours_of_waiting_between_segments_do_not_squash_the_bars(store, make):
    make(
        records=lambda t: [
            llm(t, 1000, phase="initial"),
            llm(t + 2 * HOUR, 1000, phase="synthesis"),
        ],
        segments=2,
        duration_ms=2000,
    )
    text = shown(store)
    assert "2h 0m in which nothing ran, not to scale" in text
    assert bar(row(text, "gpt-5-mini initial"))[1] > 10
    assert bar(row(text, "gpt-5-mini synthesis"))[1] > 10
    assert row(text, "time") == "time       2.0s, 2h 0m from start to end, 2 segments"


def test_the_graphs_own_work_is_never_folded(store, make):
    make(records=lambda t: [llm(t, 1000, phase="initial"), llm(t + HOUR, 1000, phase="late")])
    text = shown(store)
    assert "not to scale" not in text
    assert bar(row(text, "gpt-5-mini late"))[1] == 1


def test_a_call_cut_off_before_a_wait_does_not_run_through_it(store, make):
    make(
        records=lambda t: [llm(t, 1000), llm(t + 2 * HOUR, 1000, phase="synthesis")],
        starts=lambda t: [start(t + SECOND, "tool_call", "ask_human")],
        segments=2,
        duration_ms=2000,
    )
    text = shown(store)
    assert "in which nothing ran" in text
    assert row(text, "ask_human").split()[-2:] == ["?", "stopped"]


def test_a_call_that_stopped_ends_with_the_segment_that_it_began_in(store, make):
    t = make.begun_us
    make(
        records=lambda t: [llm(t, 1000), llm(t + 8 * SECOND, 2000, phase="synthesis")],
        starts=lambda t: [start(t + SECOND, "tool_call", "ask_human")],
        segments=2,
        duration_ms=6000,
        runs=(
            SegmentRun(span_id="1" * 16, start_ts=format_us(t), end_ts=format_us(t + 4 * SECOND),
                       status="interrupted"),
            SegmentRun(span_id="2" * 16, start_ts=format_us(t + 8 * SECOND),
                       end_ts=format_us(t + 10 * SECOND), status="success"),
        ),
    )  # fmt: skip
    text = shown(store)
    line = row(text, "ask_human")
    assert line.split()[-2:] == ["3.0s", "stopped"]
    assert bar(line)[1] == pytest.approx(3 * bar(row(text, "gpt-5-mini initial"))[1], abs=3)


def test_a_child_that_runs_is_a_row(store, make, alive):
    make(
        starts=lambda t: [
            CallStarted(event="commis_run", name="checker", span_id="a" * 16, start_us=t,
                        commis_id="2025-12-15T04-08-08_x", job_id=7)
        ],
        **alive,
    )  # fmt: skip
    text = shown(store)
    assert row(text, "checker job 7").endswith("open")
    assert row(text, "child jobs") == "child jobs #7 checker (running)"
    assert "without an end" not in text


def test_one_that_asked_a_human_waits_and_is_not_in_flight(store, make):
    make(
        records=lambda t: [llm(t, 1000)],
        starts=lambda t: [start(t + SECOND, "tool_call", "ask_human")],
        status="interrupted",
        duration_ms=3000,
        wall_ms=3000,
        finished_at=format_us(make.begun_us + 3 * SECOND),
    )
    text = shown(store)
    assert row(text, "ask_human").split()[-2:] == ["2.0s", "waiting"]
    assert row(text, "open") == "open           2.0s  67%  1 call without an end"
    assert row(text, "other").split()[1] == "0ms"
    assert re.match(r"waits +9m 5\ds so far for a human", row(text, "waits"))
    done = CliRunner().invoke(cli, ["show", "1", "--json", "--root", str(store.root)])
    document = json.loads(done.stdout)
    assert (document["in_flight"], len(document["waiting"])) == ([], 1)


def test_after_a_resume_the_call_that_asked_has_stopped(store, make, alive):
    make(
        starts=lambda t: [
            start(t + SECOND, "tool_call", "ask_human", "ab" * 8),
            start(t + 60 * SECOND, "tool_call", "ssh_exec", "cd" * 8),
        ],
        segments=2,
        segment_started_at=format_us(make.begun_us + 50 * SECOND),
        duration_ms=2000,
        **alive,
    )
    text = shown(store)
    assert row(text, "ask_human").split()[-2:] == ["?", "stopped"]
    assert row(text, "ssh_exec").endswith("open")
    assert "1 call without an end" in row(text, "open")
    done = CliRunner().invoke(cli, ["show", "1", "--json", "--root", str(store.root)])
    assert [call["name"] for call in json.loads(done.stdout)["in_flight"]] == ["ssh_exec"]


def test_the_time_in_which_no_call_ran_overlaps_with_nothing(store, make):
    # Each part cut to whole milliseconds, more would be left over than there is.
    make(
        records=lambda t: [
            replace(llm(t, 0), end_us=t + 999),
            replace(tool(t + 1000, 0), end_us=t + 1999),
        ],
        starts=lambda t: [start(t + 1999, "tool_call", "ask_human")],
        status="interrupted",
        duration_ms=22,
        finished_at=format_us(make.begun_us + 21_998),
    )
    text = shown(store)
    assert row(text, "other") == "other          <1ms   0%  in which no call ran"
    assert "overlapping" not in text


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
def test_an_answer_that_was_cut_off_says_so(store, make, reason):
    make(
        records=lambda t: [
            llm(t, 5, finish_reason="stop", phase="initial"),
            llm(t + SECOND, 5, finish_reason=reason, phase="late"),
        ]
    )
    text = shown(store)
    assert row(text, "cut off") == "cut off    1 LLM call at the token limit"
    assert row(text, "gpt-5-mini cut off late")
    assert row(text, "gpt-5-mini initial")


def test_child_jobs_are_named_and_added_up(store, make):
    child = make(records=lambda t: [llm(t, 1000), tool(t + SECOND, 5)], name="checker")
    make(
        records=lambda t: [
            llm(t, 1000),
            run(t + SECOND, 900, name="checker", job_id=1, commis_id=child.commis_id),
        ]
    )
    assert row(shown(store, "2"), "child jobs") == "child jobs #1 checker"
    below = DescendantTotals(jobs=1, llm_calls=1, tool_calls=1, total_tokens=1234)
    store.save_metadata(replace(make.last, descendants=below))
    assert row(shown(store, "2"), "child jobs") == (
        "child jobs #1 checker; with them 2,468 tokens, 2 LLM calls, 1 tool call"
    )
    assert "child jobs" not in shown(store, "1")


def test_totals_count_overlaps_once(store, make):
    make(
        records=lambda t: [
            llm(t, 1000, cached_tokens=1000, reasoning_tokens=20, cost_usd=0.0031),
            tool(t + SECOND, 3000),
            tool(t + SECOND, 2000, success=False),
        ],
        duration_ms=5000,
    )
    text = shown(store)
    assert row(text, "LLM").split() == ["LLM", "1.0s", "20%", "1", "call"]
    assert row(text, "tools") == (
        "tools          3.0s  60%  2 calls, 1 failed, overlapping (5.0s added up)"
    )
    assert row(text, "other").split()[1:3] == ["1.0s", "20%"]
    assert row(text, "tokens") == (
        "tokens     1,234 = 1,200 in (1,000 cached) + 34 out (20 reasoning)"
    )
    assert row(text, "cost") == "cost       $0.0031"


def test_the_shares_of_a_short_commis_make_up_the_whole(store, make):
    # Of each, less than a millisecond would be cut off.
    make(
        records=lambda t: [
            replace(llm(t, 0), end_us=t + 900),
            replace(tool(t + 900, 0), end_us=t + 1800),
        ],
        duration_ms=5,
    )
    text = shown(store)
    assert row(text, "LLM").split() == ["LLM", "<1ms", "18%", "1", "call"]
    assert row(text, "tools").split() == ["tools", "<1ms", "18%", "1", "call"]
    assert row(text, "other").split()[1:3] == ["3ms", "64%"]


def test_that_explanation_is_folded_on_a_terminal(store, make):
    make(records=lambda t: [llm(t + 6000, 21), tool(t + 27_000, 1)], duration_ms=22)
    lines = in_terminal(80, "show", "1", "--root", store.root).lines
    [at] = [number for number, line in enumerate(lines) if line.startswith("6ms of these")]
    assert lines[at + 1].endswith("outlasted it")
    assert max(map(cell_len, lines[at : at + 2])) <= 80


def test_bars_that_go_further_than_the_time_at_work_are_explained(store, make):
    # Its first 6 ms went into making its own files, which is not counted as its work.
    make(records=lambda t: [llm(t + 6000, 21), tool(t + 27_000, 1)], duration_ms=22)
    assert "6ms of these 28ms are not its time at work: its files were made" in shown(store)
    make(records=lambda t: [llm(t, 21), tool(t + 21_000, 1)], duration_ms=22)
    assert "not its time at work" not in shown(store, "2")
    make(records=lambda t: [llm(t, 5000), llm(t + 6 * SECOND, 5000)], duration_ms=10_000,
         segments=2)  # fmt: skip
    assert "1.0s of these 11.0s are not its time at work: it waited" in shown(store, "3")


def test_what_is_missing_is_said(store, make):
    made = make(records=lambda t: [llm(t, 5)], dropped_records=3)
    with (store.folder(made.commis_id) / "metrics.jsonl").open("a") as file:
        file.write("not json\n{torn")
    text = shown(store)
    assert "3 records could not be written" in row(text, "dropped")
    assert "1 line is unreadable and the last line is unfinished" in row(text, "remark")


def test_unreadable_metadata_does_not_hide_the_calls(store, make):
    made = make(records=lambda t: [tool(t, 5)])
    (store.folder(made.commis_id) / "metadata.json").write_text("[]")
    text = shown(store)
    assert "metadata.json" in row(text, "error")
    assert row(text, "ssh_exec")


def test_one_that_may_not_be_read_says_so(store, make):
    made = make(records=lambda t: [tool(t, 5)])
    with closed(store.folder(made.commis_id)):
        done = bound_zerg("show", "1", "--root", store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert row(done.stdout, "time") == "time       not known"
    assert row(done.stdout, "error").endswith("cannot be read (Permission denied)")
    assert row(done.stdout, "remark") == (
        "remark     metrics.jsonl cannot be read (Permission denied)."
    )
    assert done.stdout.endswith("  cannot be read\n")


def test_a_commis_without_calls_can_be_shown(store, make):
    make()
    assert "No calls are recorded." in shown(store)


def test_thousands_of_calls_are_cut_in_the_middle(store, make):
    make(records=lambda t: [tool(t + n * 1000, 1, tool=f"t{n:04}") for n in range(1000)])
    lines = shown(store).splitlines()
    rows = [line.split()[0] for line in lines if line.startswith("t0")]
    assert rows == [f"t{n:04}" for n in [*range(100), *range(900, 1000)]]
    assert any("800 more calls" in line for line in lines)


def test_json_has_metadata_records_and_times(store, make):
    made = make(
        records=lambda t: [llm(t, 1000), tool(t + SECOND, 500)],
        starts=lambda t: [start(t, "tool_call", "other")],
        duration_ms=2000,
    )
    done = CliRunner().invoke(cli, ["show", "1", "--json", "--root", str(store.root)])
    document = json.loads(done.stdout)
    assert document["metadata"] == made.to_dict()
    assert document["records"] == [
        record.to_dict() for record in store.records(made.commis_id).items
    ]
    assert document["timeline"] == {
        "duration_ms": 2000, "llm_ms": 1000, "tool_ms": 500, "busy_ms": 1500, "open_ms": 0,
        "other_ms": 500,
    }  # fmt: skip
    # It has ended, and so has whatever it did not say the end of.
    assert (document["in_flight"], document["waiting"]) == ([], [])
    assert [call["name"] for call in document["stopped"]] == ["other"]
    assert (document["unreadable_lines"], document["torn_last_line"]) == (0, False)
    assert document["newer_lines"] == 0
    assert document["folder"] == str(store.folder(made.commis_id))
    assert document["files"] == ["metadata.json", "metrics.jsonl", "started.jsonl"]


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal_it_fits_and_foreign_text_colours_nothing(store, make, width):
    make(
        "备份 [red]markup[/red] \x1b[41m " * 9,
        lambda t: [
            llm(t, 1000, model="anthropic/claude-sonnet-4-5-20250929[link]"),
            tool(t + SECOND, 5, tool="\x1b[2Jclear"),
            tool(
                t + SECOND, 900, tool="ssh", success=False, error="E: \x1b[42mgreen " + "备 " * 90
            ),
        ],
    )
    screen = in_terminal(width, "show", "1", "--root", store.root)
    # The path alone runs on, so that it can be copied.
    drawn = [line for line in screen.lines if not line.startswith(str(store.root))]
    assert all(cell_len(line) <= width for line in drawn)
    assert "█" in screen.raw
    assert "\x1b[2J" not in screen.raw
    assert not {"41", "42"} & screen.styles_of(" ")
    assert screen.styles_of("E: [42mgreen") == {"31"}
    assert screen.styles_of("failed") == {"31"}


@pytest.mark.parametrize("width", [40, 60])
def test_on_a_narrow_terminal_each_call_is_one_line(store, make, width):
    make(
        records=lambda t: [
            llm(t, 1000, model="anthropic/claude-sonnet-4-5-20250929", phase="tool_decision"),
            tool(t + SECOND, 5, tool="search_the_whole_knowledge_base"),
        ]
    )
    lines = in_terminal(width, "show", "1", "--root", store.root).lines
    drawn = [line for line in lines if line.startswith("call ") or "█" in line or "▌" in line]
    assert len(drawn) == 3
    assert all(cell_len(line) <= width for line in drawn)
    assert drawn[0].endswith(" tokens")
    assert drawn[1].endswith(" 1,234")


def test_bars_have_their_full_colour(store, make):
    make(
        records=lambda t: [
            llm(t, 1000),
            tool(t + SECOND, 1000),
            tool(t + 2 * SECOND, 1000, success=False),
            run(t + 3 * SECOND, 1000, name="nested"),
        ]
    )
    screen = in_terminal(80, "show", "1", "--root", store.root)
    assert screen.styles_of("█") == {"36", "32", "31", "35"}


@pytest.mark.parametrize(
    ("model", "attempt", "label"),
    [
        ("gpt-big-model-2025", None, "gpt-big-model-2025 tool_de…"),
        ("gpt-big-model-2025", 2, "gpt-big-model-2025 try 2"),
        ("anthropic/claude-sonnet-4-5-20250929", None, "anthropic/claude-sonnet-4-…"),
        ("anthropic/claude-sonnet-4-5-20250929", 2, "anthropic/claude-son… try 2"),
    ],
)
def test_the_phase_gives_way_to_the_model(store, make, model, attempt, label):
    make(records=lambda t: [llm(t, 1000, model=model, phase="tool_decision", attempt=attempt)])
    lines = in_terminal(80, "show", "1", "--root", store.root).lines
    assert any(re.match(rf"{re.escape(label)} +█", line) for line in lines)


def test_a_pipe_gets_ascii_bars_without_colour(store, make):
    make(records=lambda t: [llm(t, 1000), tool(t + SECOND, 5, success=False, error="E: x")])
    text = shown(store)
    assert text.isascii()
    assert "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines() if "#" in line)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_records_that_come_later_are_shown(store, make, alive):
    made = make(**alive)
    append(store, made.commis_id, tool(make.begun_us, 5, tool="late"))
    assert row(shown(store), "late")
