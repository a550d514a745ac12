import os
from pathlib import Path

import pytest

from zerg_visibility import ConciergeRunRecord, LLMCallRecord, ToolCallRecord
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.reading import (
    LinesRead,
    read_or_say,
    read_records,
    read_starts,
    without_root_runs,
)

LLM = LLMCallRecord(start_us=0, end_us=1000, model="m", span_id="a" * 16)
TOOL = ToolCallRecord(start_us=1000, end_us=3000, tool="ls", span_id="b" * 16)
LINES = json_line(LLM.to_dict()) + json_line(TOOL.to_dict())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", LinesRead(())),
        (LINES, LinesRead((LLM, TOOL))),
        (LINES[:-1], LinesRead((LLM, TOOL))),
        (LINES[:-3], LinesRead((LLM,), torn=True)),
        (b"\n\n" + LINES + b"  \n", LinesRead((LLM, TOOL))),
        (b'{"event":\n' + LINES, LinesRead((LLM, TOOL), unreadable=1)),
        (b"\xff\xfe\n[1]\nnull\n5\n" + LINES, LinesRead((LLM, TOOL), unreadable=4)),
        (b'{"event":"later_kind"}\n' + LINES, LinesRead((LLM, TOOL), newer=1)),
        (b'{"event":"llm_call","start_ts":5}\n', LinesRead((), unreadable=1)),
        (b'{"event":["llm_call"]}\n', LinesRead((), unreadable=1)),
        (LINES.replace(b"\n", b"\r\n"), LinesRead((LLM, TOOL))),
    ],
)
def test_what_is_whole_is_read_and_the_rest_is_counted(tmp_path, content, expected):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(content)
    assert read_records(path) == expected


def test_a_missing_file_reads_as_empty(tmp_path):
    assert read_records(tmp_path / "nothing") == LinesRead(())


def test_a_pipe_or_a_link_does_not_hang_or_lead_out(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(LINES)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_records(tmp_path / "pipe") == LinesRead(())
    assert read_records(tmp_path / "link") == LinesRead(())


@pytest.mark.parametrize(
    ("unreadable", "torn", "remark"),
    [
        (0, False, None),
        (1, False, "Skipped: 1 line is unreadable."),
        (2, False, "Skipped: 2 lines are unreadable."),
        (0, True, "Skipped: the last line is unfinished."),
        (2, True, "Skipped: 2 lines are unreadable and the last line is unfinished."),
    ],
)
def test_the_remark_says_what_was_skipped(unreadable, torn, remark):
    assert LinesRead((), unreadable, torn).remark == remark


def test_a_file_that_cannot_be_read_reads_as_empty_with_the_reason():
    # Its permissions let everybody read it, and reading it fails for everybody.
    read = read_or_say(read_records, Path(f"/proc/{os.getpid()}/mem"))
    assert (read.items, read.remark) == ((), "mem cannot be read (Input/output error).")


def test_the_run_of_a_concierge_is_a_record_like_others(tmp_path):
    run = ConciergeRunRecord(start_us=0, end_us=5, name="team", status="failed")
    (tmp_path / "metrics.jsonl").write_bytes(LINES + json_line(run.to_dict()))
    read = read_records(tmp_path / "metrics.jsonl")
    assert read.items == (LLM, TOOL, run)
    assert without_root_runs(read).items == (LLM, TOOL)


def test_started_lines_are_read(tmp_path):
    begun = CallStarted(event="tool_call", name="early", span_id="c" * 16, start_us=5_000_000)
    (tmp_path / "started.jsonl").write_bytes(json_line(begun.to_dict()))
    assert read_starts(tmp_path / "started.jsonl").items == (begun,)
