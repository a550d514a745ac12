import logging
import os

import pytest

from tests.processes import all_at_once, python
from tests.scripted import calculator, run
from zerg_visibility import (
    ConfigurationError,
    KeyValueFormatter,
    ToolCallRecord,
    configure_logging,
    create_commis_node,
)
from zerg_visibility.sinks.log import LogSink

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


def test_two_paths_are_both_written(tmp_path):
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    for path in paths:
        configure_logging(path)
    LogSink().emit(RECORD)
    assert [tool_lines(path) for path in paths] == [1, 1]


@pytest.mark.parametrize("rotate", ["rename", "delete"])
def test_a_log_rotation_loses_no_line(tmp_path, rotate):
    path = tmp_path / "a.log"
    configure_logging(path)
    LogSink().emit(RECORD)
    if rotate == "rename":
        path.rename(tmp_path / "a.log.1")
        assert tool_lines(tmp_path / "a.log.1") == 1
    else:
        path.unlink()
    LogSink().emit(RECORD)
    assert tool_lines(path) == 1


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


def test_without_it_even_a_failure_prints_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    records, failures = python(A_RUN, tmp_path / "file" / "data").split()
    assert (records, int(failures) > 0) == ("4", True)


def test_the_lines_go_to_the_users_own_logging_as_well(store, handler, caplog):
    caplog.set_level(logging.INFO, "zerg_visibility")
    run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    assert caplog.messages == [
        "llm_call_complete", "tool_call_complete", "llm_call_complete", "commis_complete",
    ]  # fmt: skip


def test_a_text_that_utf8_cannot_hold_is_written_all_the_same(tmp_path):
    path = tmp_path / "a.log"
    configure_logging(path)
    logging.getLogger("zerg_visibility").warning("lone \ud800 surrogate")
    assert path.read_bytes().endswith(b"WARNING lone \\ud800 surrogate" + os.linesep.encode())
