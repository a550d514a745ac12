import logging
import os

import pytest

from tests.processes import all_at_once, is_warning, python, succeed
from tests.scripted import calculator, run
from zerg_visibility import (
    ConfigurationError,
    KeyValueFormatter,
    ToolCallRecord,
    configure_logging,
    create_commis_node,
)
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.sinks.fanout import FanoutSink
from zerg_visibility.sinks.log import LogSink
from zerg_visibility.sinks.logfile import AppendingHandler
from zerg_visibility.testing import FailingSink

RECORD = ToolCallRecord(start_us=0, end_us=0, tool="ls")

A_RUN = """
    import sys
    from tests.scripted import calculator, run
    from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node
    store = CommisStore(sys.argv[1])
    handler = VisibilityCallbackHandler(store)
    run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    print(handler.stats.records, handler.stats.failures)
"""


def tool_lines(path) -> int:
    return path.read_text().count("tool_call_complete tool=ls ")


def test_the_default_path_is_the_one_that_the_documented_commands_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handler = configure_logging()
    LogSink().emit(RECORD)
    assert isinstance(handler.formatter, KeyValueFormatter)
    assert tool_lines(tmp_path / "logs" / "backend" / "backend.log") == 1


def test_calling_it_again_changes_only_the_level(tmp_path):
    path = tmp_path / "a.log"
    logger = logging.getLogger("zerg_visibility")
    before = len(logger.handlers)
    first = configure_logging(path)
    assert configure_logging(str(path), level=logging.WARNING) is first
    assert len(logger.handlers) == before + 1
    LogSink().emit(RECORD)
    assert tool_lines(path) == 0
    assert configure_logging(path) is first
    LogSink().emit(RECORD)
    assert tool_lines(path) == 1


def test_filters_of_the_handler_decide_what_is_written(tmp_path):
    path = tmp_path / "a.log"
    handler = configure_logging(path)
    handler.addFilter(lambda record: record.tool != "ls")
    LogSink().emit(RECORD)
    LogSink().emit(ToolCallRecord(start_us=0, end_us=0, tool="cat"))
    assert [line.split()[4] for line in path.read_text().splitlines()] == ["tool=cat"]


def test_a_filter_may_write_another_record(tmp_path):
    class Renamed(AppendingHandler):
        def filter(self, record):
            # What logging's own `filter` gives from Python 3.12 on, if one of the filters does.
            return logging.makeLogRecord({**vars(record), "tool": "cat"})

    path = tmp_path / "a.log"
    Renamed(path).handle(logging.makeLogRecord({"msg": "tool_call_complete", "tool": "ls"}))
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["tool=cat"]


def test_two_paths_are_both_written(tmp_path):
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    for path in paths:
        configure_logging(path)
    LogSink().emit(RECORD)
    assert [tool_lines(path) for path in paths] == [1, 1]


def test_a_log_rotation_loses_no_line(tmp_path):
    path, moved = tmp_path / "a.log", tmp_path / "a.log.1"
    configure_logging(path)
    LogSink().emit(RECORD)
    path.rename(moved)
    emitted = 1 + emit_until(path.exists)
    assert tool_lines(path) == 1
    assert tool_lines(path) + tool_lines(moved) == emitted


def test_a_log_file_that_was_deleted_is_made_anew(tmp_path):
    path = tmp_path / "a.log"
    configure_logging(path)
    LogSink().emit(RECORD)
    path.unlink()
    emit_until(path.exists)
    assert tool_lines(path) == 1


def emit_until(arrived):
    """Emit records until a condition holds; give their number. A moved file shows within 20 ms."""
    for number in range(1, 1_000_000):
        LogSink().emit(RECORD)
        if arrived():
            return number
    raise AssertionError("it never came")


def test_several_processes_write_whole_lines_into_one_file(tmp_path):
    path = tmp_path / "a.log"
    code = """
        import sys
        from zerg_visibility import ToolCallRecord, configure_logging
        from zerg_visibility.sinks.log import LogSink
        configure_logging(sys.argv[2])
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(500):
            tool = f"{sys.argv[1]}-{number}"
            error = "x" * (40 * number)
            LogSink().emit(ToolCallRecord(start_us=0, end_us=0, tool=tool, error=error))
    """
    all_at_once(code, 3, path)
    parts = [line.split()[4:] for line in path.read_text().splitlines()]
    assert {part[-1] for part in parts} == {"event=tool_call_complete"}
    assert sorted(part[0] for part in parts) == sorted(
        f"tool={who}-{number}" for who in range(3) for number in range(500)
    )


def test_a_forked_process_logs_under_its_own_number():
    code = """
        import logging, os
        from zerg_visibility import ToolCallRecord
        from zerg_visibility.sinks.log import LogSink

        class Show(logging.Handler):
            def emit(self, record):
                print(record.process == os.getpid(), flush=True)

        logger = logging.getLogger("zerg_visibility")
        logger.addHandler(Show())
        logger.setLevel(logging.INFO)
        record = ToolCallRecord(start_us=0, end_us=0)
        LogSink().emit(record)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        LogSink().emit(record)
    """
    assert python(code).splitlines() == ["True"] * 3


def test_a_path_that_cannot_be_written_names_the_cure(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.log"
    for unwritable in (path, tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            configure_logging(unwritable)
        message = str(caught.value)
        assert message.startswith(f"cannot write the log file {unwritable} (")
        assert message.endswith(
            "give configure_logging(path=...) a file in a folder you may write to"
        )


def test_without_it_nothing_is_printed(tmp_path):
    assert python(A_RUN, tmp_path / "data") == "4 0\n"


def test_without_it_a_failure_is_said_once_on_stderr(tmp_path):
    (tmp_path / "file").write_text("")
    out, err = succeed(A_RUN, tmp_path / "file" / "data")
    records, failures = out.split()
    assert (records, int(failures) > len(err.splitlines())) == ("4", True)
    first, *_ = lines = err.splitlines()
    assert first.startswith("zerg_visibility could not create a commis's directory: NotADirector")
    assert str(tmp_path / "file") in first
    assert all(is_warning(line) for line in lines)
    assert len(set(lines)) == len(lines)


def test_the_lines_go_to_the_users_own_logging_as_well(store, handler, caplog):
    caplog.set_level(logging.INFO, "zerg_visibility")
    run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    assert caplog.messages == [
        "llm_call_complete", "tool_call_complete", "llm_call_complete", "commis_complete",
    ]  # fmt: skip


def test_a_text_that_utf8_cannot_hold_is_written_all_the_same(tmp_path, monkeypatch):
    path = tmp_path / "a.log"
    configure_logging(path)
    # Or pytest would keep the text too, and could not hand it from one of its processes to another.
    monkeypatch.setattr(logging.getLogger("zerg_visibility"), "propagate", False)
    logging.getLogger("zerg_visibility").warning("lone \ud800 surrogate")
    assert path.read_bytes().endswith(b"WARNING lone \\ud800 surrogate" + os.linesep.encode())


def test_a_log_folder_that_was_deleted_is_made_anew(store, handler, tmp_path):
    path = tmp_path / "logs" / "a.log"
    configure_logging(path)
    LogSink().emit(RECORD)
    path.unlink()
    path.parent.rmdir()
    emit_until(path.exists)
    path.write_text("")
    state = run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    assert state["messages"][-1].text == "The result is 42."
    assert path.read_text().count("llm_call_complete") == 2 * 2  # message and event
    assert handler.stats.failures == 0


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def test_a_fault_that_cannot_be_shown_prints_nothing_on_stderr(tmp_path, capsys):
    path = tmp_path / "a.log"
    configure_logging(path)
    diagnostics = Diagnostics()
    FanoutSink([FailingSink(UnprintableError())], diagnostics).emit(RECORD)
    assert diagnostics.failures == 1
    assert capsys.readouterr().err == ""
    assert "could not hand a tool_call to FailingSink: UnprintableError" in path.read_text()


def test_a_full_disk_under_the_log_is_counted_and_prints_nothing(tmp_path):
    # /dev/full is a disk on which no byte has place.
    code = A_RUN.replace(
        "handler = ", 'zerg_visibility.configure_logging("/dev/full")\n    handler = '
    )
    records, failures = python(f"\n    import zerg_visibility{code}", tmp_path / "data").split()
    assert (records, int(failures)) == ("4", 4)
