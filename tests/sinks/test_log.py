"""Lines of the log that are written without a log record, where nobody could tell."""

from __future__ import annotations

import pytest

from tests.processes import python

# In a process of its own: pytest has handlers at the root, which are to get log records.
SETUP = """
    import logging, sys, time
    from zerg_visibility import (
        CommisRunRecord, KeyValueFormatter, LLMCallRecord, ToolCallRecord, configure_logging
    )
    from zerg_visibility.sinks.log import LogSink

    time.time = lambda: 1_700_000_000.5
    path = sys.argv[1]
    logger = logging.getLogger("zerg_visibility")
    handler = configure_logging(path)
    sink = LogSink()

    class Show(logging.Handler):
        seen = 0
        def emit(self, record):
            Show.seen += 1

    def lines():
        with open(path) as file:
            return file.read().splitlines()

    def log(record=ToolCallRecord(start_us=0, end_us=0, tool="ls")):
        before = len(lines())
        sink.emit(record)
        return len(lines()) - before
"""


def test_a_line_is_the_same_with_a_log_record_and_without(tmp_path):
    code = (
        SETUP
        + """
    ids = {"trace_id": "a" * 32, "span_id": "b" * 16}
    texts = ["plain", "two words", "a=b", "x\\ny", "", "llm_call_complete"]
    records = [
        LLMCallRecord(start_us=0, end_us=1500, model=text, phase=text, success=success, error=text,
                      prompt_tokens=number, cost_usd=0.5, commis_id=text, **ids)
        for text in texts for success in (True, False) for number in (0, 10**30, None)
    ]
    records += [
        ToolCallRecord(start_us=0, end_us=1500, tool=text, success=not text, error=text)
        for text in texts
    ]
    records += [
        CommisRunRecord(start_us=0, end_us=9, name=text, status="failed", error=text, job_id=1)
        for text in texts
    ]
    made = []
    real = logging.LogRecord.__init__
    show = Show()
    for record in records:
        sink.emit(record)
        logger.addHandler(show)
        sink.emit(record)
        logger.removeHandler(show)
    both = lines()
    assert Show.seen == len(records)
    assert both[::2] == both[1::2]
    print(len(both))
    """
    )
    assert python(code, tmp_path / "a.log") == "96\n"


WATCHED = {
    "a handler beside ours": ("logger.addHandler(Show())", 1, 1),
    "a handler at the root": ("logging.getLogger().addHandler(Show())", 1, 1),
    "a filter of the logger": ("logger.addFilter(lambda _: False)", 0, 0),
    "a filter of the handler": ("handler.addFilter(lambda _: False)", 0, 0),
    "a level of the handler": ("handler.setLevel(logging.WARNING)", 0, 0),
    "a level of the logger": ("logger.setLevel(logging.WARNING)", 0, 0),
    "logging switched off": ("logging.disable(logging.INFO)", 0, 0),
    "ours taken away": ("logger.removeHandler(handler); logger.addHandler(Show())", 0, 1),
}


@pytest.mark.parametrize(("change", "written", "seen"), WATCHED.values(), ids=WATCHED.keys())
def test_what_is_changed_at_run_time_holds_from_the_next_line_on(tmp_path, change, written, seen):
    code = f"{SETUP}\n    assert log() == 1\n    {change}\n    print(log(), Show.seen)"
    assert python(code, tmp_path / "a.log") == f"{written} {seen}\n"


def test_a_formatter_and_a_factory_of_ones_own_get_log_records(tmp_path):
    code = (
        SETUP
        + """
    class Shout(KeyValueFormatter):
        def format(self, record):
            return super().format(record).upper()

    handler.setFormatter(Shout())
    log()
    handler.setFormatter(KeyValueFormatter())
    factory = logging.getLogRecordFactory()

    def tagged(*args, **more):
        record = factory(*args, **more)
        record.tag = "mine"
        return record

    logging.setLogRecordFactory(tagged)
    log()
    first, second = lines()
    print(first.isupper(), "tag=mine" in second)
    """
    )
    assert python(code, tmp_path / "a.log") == "True True\n"
