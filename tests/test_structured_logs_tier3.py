"""Tier 3: one line an event in the backend's log, fit for the documented commands."""

import logging
import re

import pytest
from langchain_core.tools import tool

from tests.scripted import asks, calculator, commis_agent, concierge, run, says
from tests.spec.backup_run import COMMIS_ID, backup_run
from tests.spec.spec_commands import shell, starting_with, terminal
from zerg_visibility import MemorySink, VisibilityCallbackHandler, configure_logging
from zerg_visibility.testing import FailingSink

LOG = "logs/backend/backend.log"

BACKUP = f"commis_id={COMMIS_ID}"
TOKENS = "prompt_tokens=1234 completion_tokens=89 total_tokens=1323"
FAILED = r'error="no space left: device\x3d\"/dev/sda1\""'
VERIFY = "commis_id=2025-12-15T03-19-35_verify-it"

# What the run does, line by line; ids of the trace, which are random, are left out.
LINES = [
    f"llm_call_complete phase=initial duration_ms=100 model=gpt-5-nano {TOKENS}",
    f"llm_call_complete phase=initial duration_ms=19500 {BACKUP} model=gpt-5-mini {TOKENS}",
    f"tool_call_complete tool=ssh_exec duration_ms=1234 success=True {BACKUP}",
    f"llm_call_complete phase=tool_decision duration_ms=2000 {BACKUP} model=gpt-5-mini {TOKENS}",
    f"tool_call_complete tool=ssh_exec duration_ms=300 success=False {BACKUP} {FAILED}",
    f"llm_call_complete phase=synthesis duration_ms=111 {BACKUP} model=gpt-5-mini {TOKENS}",
    f"commis_complete commis_name=backup status=success duration_ms=23145 {BACKUP} job_id=1",
    "tool_call_complete tool=backup duration_ms=23145 success=True",
    f"llm_call_complete phase=tool_decision duration_ms=100 model=gpt-5-nano {TOKENS}",
    f"llm_call_complete phase=initial duration_ms=50 {VERIFY} model=gpt-5 {TOKENS}",
    f"commis_complete commis_name=verify status=success duration_ms=50 {VERIFY} job_id=2",
    "tool_call_complete tool=verify duration_ms=50 success=True",
    f"llm_call_complete phase=synthesis duration_ms=100 model=gpt-5-nano {TOKENS}",
]
DURATIONS = [50, 50, 50, 100, 100, 100, 111, 300, 1234, 2000, 19500, 23145, 23145]

_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO (?P<body>(?P<event>\w+) .*?)"
    r" trace_id=[0-9a-f]{32} span_id=[0-9a-f]{16} event=(?P=event)"
)


def bodies(text: str) -> list[str]:
    """Log lines without time and random ids."""
    return [_LINE.fullmatch(line)["body"] for line in text.splitlines()]


def having(*parts: str) -> list[str]:
    return [line for line in LINES if all(part in f"{line} " for part in parts)]


@pytest.fixture
def log_records():
    """The log records of one test, as any handler of the user's own would get them."""
    kept: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record):
            kept.append(record)

    logger = logging.getLogger("zerg_visibility")
    logger.addHandler(Keep())
    logger.setLevel(logging.INFO)
    return kept


def extras(record: logging.LogRecord) -> dict:
    """What `extra` added to a log record, without the random ids and what has no value."""
    plain = logging.makeLogRecord({}).__dict__
    unrelated = {"trace_id", "span_id", "message"}  # the last is what formatters add
    return {
        name: value
        for name, value in record.__dict__.items()
        if name not in {*plain, *unrelated} and value is not None
    }


def test_llm_call_structured_logging(tmp_path, log_records):
    backup = backup_run(tmp_path / "data")
    backup.go()

    calls = [one for one in log_records if one.msg == "llm_call_complete"]
    assert [(one.name, one.levelname, one.getMessage()) for one in calls] == [
        ("zerg_visibility", "INFO", "llm_call_complete")
    ] * 7
    assert extras(calls[1]) == {
        "event": "llm_call_complete",
        "phase": "initial",
        "model": "gpt-5-mini",
        "duration_ms": 19500,
        "commis_id": COMMIS_ID,
        "prompt_tokens": 1234,
        "completion_tokens": 89,
        "total_tokens": 1323,
    }
    assert [(one.phase, one.model, one.duration_ms) for one in calls] == [
        ("initial", "gpt-5-nano", 100),
        ("initial", "gpt-5-mini", 19500),
        ("tool_decision", "gpt-5-mini", 2000),
        ("synthesis", "gpt-5-mini", 111),
        ("tool_decision", "gpt-5-nano", 100),
        ("initial", "gpt-5", 50),
        ("synthesis", "gpt-5-nano", 100),
    ]


def test_a_failed_llm_call_says_so(store, handler, log_records):
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        says("It failed."),
        store=store,
        commis=commis_agent(ValueError("no answer")),
    )
    run(graph, "What is 7*6?", handler)
    [failed] = [one for one in log_records if hasattr(one, "error") and hasattr(one, "model")]
    assert extras(failed) == {
        "event": "llm_call_complete",
        "phase": "initial",
        "model": "gpt-5-mini",
        "duration_ms": failed.duration_ms,
        "commis_id": store.find(1),
        "success": False,
        "error": "ValueError: no answer",
    }


def test_tool_call_structured_logging(tmp_path, log_records):
    backup = backup_run(tmp_path / "data")
    backup.go()

    calls = [one for one in log_records if one.msg == "tool_call_complete"]
    assert [extras(one) for one in calls] == [
        {
            "event": "tool_call_complete",
            "tool": "ssh_exec",
            "duration_ms": 1234,
            "success": True,
            "commis_id": COMMIS_ID,
        },
        {
            "event": "tool_call_complete",
            "tool": "ssh_exec",
            "duration_ms": 300,
            "success": False,
            "commis_id": COMMIS_ID,
            "error": 'no space left: device="/dev/sda1"',
        },
        {
            "event": "tool_call_complete",
            "tool": "backup",
            "duration_ms": 23145,
            "success": True,
        },
        {
            "event": "tool_call_complete",
            "tool": "verify",
            "duration_ms": 50,
            "success": True,
        },
    ]


def numbers(text: str) -> list[int]:
    return [int(line) for line in text.splitlines()]


def counts(text: str) -> list[tuple[int, str]]:
    """What `uniq -c` printed."""
    return [(int(count), value) for count, value in map(str.split, text.splitlines())]


LAST_NUMBERS = "awk -F'duration_ms=' '{print $2}' | awk '{print $1}' | sort -n"

# Every grep, find and tail command of the specification; what it should print is told from what
# the run does.
ANSWERS = {
    'find logs/ -name "*.log" -type f': (str, f"{LOG}\n"),
    f"tail -20 {LOG}": (bodies, LINES),
    f'grep "event=" {LOG} | head -5': (bodies, LINES[:5]),
    f'grep "duration_ms=" {LOG} | {LAST_NUMBERS} | tail -20': (numbers, DURATIONS),
    f'grep "duration_ms=" {LOG} | {LAST_NUMBERS} | uniq -c': (
        counts,
        [(DURATIONS.count(ms), str(ms)) for ms in sorted(set(DURATIONS))],
    ),
    f'grep "commis_id=2025-12-15T03-19-12_backup" {LOG}': (bodies, having(BACKUP)),
    f'grep "tool_call_complete" {LOG} | grep "success=False"': (bodies, [LINES[4]]),
    f'grep "llm_call_complete" {LOG} | grep -o "model=[^ ]*" | sort | uniq -c': (
        counts,
        [(1, "model=gpt-5"), (3, "model=gpt-5-mini"), (3, "model=gpt-5-nano")],
    ),
}


def test_structured_logs_grep_pattern(tmp_path):
    configure_logging(tmp_path / LOG)
    backup_run(tmp_path / "data").go()

    printed = {command: shell(command, tmp_path) for command in once_only()}
    assert printed.keys() == ANSWERS.keys()
    for command, (read, expected) in ANSWERS.items():
        assert read(printed[command]) == expected, command


def once_only() -> list[str]:
    return [c for c in starting_with("grep", "find", "tail") if not c.startswith("tail -f")]


@pytest.mark.parametrize("command", [c for c in starting_with("tail") if c.startswith("tail -f")])
def test_lines_appear_in_a_terminal_while_the_graph_runs(command, tmp_path):
    configure_logging(tmp_path / LOG)
    backup = backup_run(tmp_path / "data", times=2)
    event = command.split()[-1]
    backup.go()
    with terminal(command, tmp_path) as lines:
        # tail begins with the last ten lines; once they are there, it follows the file.
        shown = [body for body in LINES[-10:] if body.startswith(event)]
        first = [next(lines) for _ in shown]
        backup.go()
        second = [next(lines) for _ in having(event)]
    assert bodies("\n".join(first)) == shown
    assert [body.split()[0] for body in bodies("\n".join(second))] == [event for _ in second]


def test_the_documented_commands_find_the_directory_of_a_commis(tmp_path):
    backup = backup_run(tmp_path / "data")
    backup.go()
    folder = backup.store.folder(COMMIS_ID)
    outputs = {}
    for command in starting_with("ls", "cat"):
        command = command.replace("/data/swarmlet", str(backup.store.root))
        command = command.replace("{commis_id}", COMMIS_ID)
        outputs[command.split()[0]] = shell(command, tmp_path)
    assert outputs.keys() == {"ls", "cat"}
    assert {line.split()[-1] for line in outputs["ls"].splitlines()[1:]} == {
        ".", "..", "metadata.json", "metrics.jsonl", "result.txt", "started.jsonl", "thread.jsonl",
        "tool_calls",
    }  # fmt: skip
    assert outputs["cat"] == (folder / "metrics.jsonl").read_text()


class FailingHandler(logging.Handler):
    def emit(self, record):
        raise OSError("disk is full")


def test_structured_logs_fail_safe(store, tmp_path):
    def watched(*handlers):
        graph = concierge(
            asks("research", task="Calculate 7*6"),
            says("It is 42."),
            store=store,
            commis=calculator(),
        )
        return [m.text for m in run(graph, "What is 7*6?", *handlers)["messages"][-1:]]

    logger = logging.getLogger("zerg_visibility.test_fail_safe")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(FailingHandler())
    sink, memory = FailingSink(), MemorySink()
    handler = VisibilityCallbackHandler(store, sinks=[sink, memory], logger=logger)

    assert watched(handler) == watched() == ["It is 42."]
    assert sink.calls == len(memory.records) == handler.stats.records
    assert handler.stats.records == 8
    assert handler.stats.failures == 7 + 8  # log lines, which a root run has not, and the sink
    assert handler.stats.dropped_records == 0
    assert handler.open_runs == 0
    assert len(store.records(store.find(1)).items) == 3


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@tool
def break_down() -> str:
    """Fail with an error that cannot be shown."""
    raise UnprintableError


def test_bad_data_makes_no_bad_line(store, handler, tmp_path):
    configure_logging(tmp_path / LOG)
    commis = commis_agent(
        asks("break_down"), tools=[break_down], model_name="evil\n2025-12-15 03:19:33 INFO x=1"
    )
    graph = concierge(asks("research", task="Try"), says("No."), store=store, commis=commis)
    run(graph, "Try it.", handler)

    evil = r'model="evil 2025-12-15 03:19:33 INFO x\x3d1"'
    commis_id = f"commis_id={store.find(1)}"
    lines = [
        re.sub(r"duration_ms=\d+", "duration_ms=N", line)
        for line in bodies((tmp_path / LOG).read_text())
    ]
    assert lines[1:4] == [
        f"llm_call_complete phase=initial duration_ms=N {commis_id} {evil} {TOKENS}",
        f"tool_call_complete tool=break_down duration_ms=N success=False {commis_id} "
        "error=UnprintableError",
        f"commis_complete commis_name=research status=failed duration_ms=N {commis_id} job_id=1 "
        "error=UnprintableError",
    ]
    assert len(lines) == 6
