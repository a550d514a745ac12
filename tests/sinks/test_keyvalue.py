import logging
import re
import time
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerg_visibility import CommisRunRecord, KeyValueFormatter, LLMCallRecord, ToolCallRecord
from zerg_visibility.sinks.keyvalue import log_fields, quote
from zerg_visibility.sinks.log import LogSink

BACKUP = "2025-12-15T03-19-12_backup"
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
CREATED = time.mktime((2025, 12, 15, 3, 19, 33, 0, 0, -1))


def line_of(record) -> str:
    """The line of a record of ours, as it comes out of the logger."""
    made = logging.makeLogRecord({"levelname": "INFO", "created": CREATED})
    extra = log_fields(record)
    made.msg = extra["event"]
    made.__dict__.update(extra)
    return KeyValueFormatter().format(made)


def line(message: str, *args, **extra) -> str:
    """The line of any log record, without its time."""
    made = logging.makeLogRecord({"levelname": "INFO", "msg": message, "args": args, **extra})
    return KeyValueFormatter().format(made).split(" ", 2)[2]


class TestOurRecords:
    """The lines of the contract, letter by letter."""

    def test_llm_call(self):
        record = LLMCallRecord(
            start_us=0, end_us=19_500_000, phase="tool_decision", model="gpt-5-mini",
            prompt_tokens=1234, completion_tokens=89, total_tokens=1323, commis_id=BACKUP,
        )  # fmt: skip
        assert line_of(record) == (
            "2025-12-15 03:19:33 INFO llm_call_complete phase=tool_decision duration_ms=19500 "
            "commis_id=2025-12-15T03-19-12_backup model=gpt-5-mini prompt_tokens=1234 "
            "completion_tokens=89 total_tokens=1323 event=llm_call_complete"
        )

    def test_tool_call(self):
        record = ToolCallRecord(start_us=0, end_us=1_234_000, tool="ssh_exec", commis_id=BACKUP)
        assert line_of(record) == (
            "2025-12-15 03:19:33 INFO tool_call_complete tool=ssh_exec duration_ms=1234 "
            "success=True commis_id=2025-12-15T03-19-12_backup event=tool_call_complete"
        )

    def test_failures_and_ids_come_after_the_fields_of_the_specification(self):
        ids = {"trace_id": "a" * 32, "span_id": "b" * 16, "parent_span_id": "c" * 16}
        llm = LLMCallRecord(
            start_us=0, end_us=0, model="m", success=False, error="E: no", cost_usd=0.5, **ids
        )
        assert line_of(llm).split(" ", 3)[3] == (
            f'llm_call_complete duration_ms=0 model=m success=False error="E: no" cost_usd=0.5 '
            f"trace_id={'a' * 32} span_id={'b' * 16} event=llm_call_complete"
        )
        tool = ToolCallRecord(start_us=0, end_us=0, tool="t", success=False, error="E", **ids)
        assert line_of(tool).split(" ", 3)[3] == (
            f"tool_call_complete tool=t duration_ms=0 success=False error=E "
            f"trace_id={'a' * 32} span_id={'b' * 16} event=tool_call_complete"
        )

    def test_commis_run(self):
        record = CommisRunRecord(
            start_us=0, end_us=98_000, name="research", job_id=7, commis_id=BACKUP, status="failed",
            error="cancelled",
        )  # fmt: skip
        assert line_of(record).split(" ", 3)[3] == (
            f"commis_complete commis_name=research status=failed duration_ms=98 commis_id={BACKUP} "
            "job_id=7 error=cancelled event=commis_complete"
        )

    @pytest.mark.parametrize("cls", [LLMCallRecord, ToolCallRecord, CommisRunRecord])
    def test_no_field_collides_with_what_a_log_record_has(self, cls):
        texts = {f.name: "1" for f in fields(cls) if f.name not in {"start_us", "end_us"}}
        record = cls(start_us=0, end_us=0, **texts)
        reserved = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}
        assert not log_fields(record).keys() & reserved
        # As the specification logs it, with `extra`, which refuses such names.
        logging.getLogger("zerg_visibility.collide").info("x", extra=log_fields(record))


class TestQuoting:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("plain", "plain"),
            ("2025-12-15T03-19-12_backup", "2025-12-15T03-19-12_backup"),
            ("a/b:c,d;e|f$(g)", "a/b:c,d;e|f$(g)"),
            ("naïve", "naïve"),
            ("two words", '"two words"'),
            ("", '""'),
            ('say "hi"', r'"say \"hi\""'),
            ("it's", '"it\'s"'),
            ("a=b", r'"a\x3db"'),
            ("back\\slash", r'"back\\slash"'),
            ("a\nb", r'"a\nb"'),
            ("a\r\n\tb", r'"a\r\n\tb"'),
            ("\x1b[31mred\x1b[0m", r'"\x1b[31mred\x1b[0m"'),
            ("a\x00b\x7f", r'"a\x00b\x7f"'),
            ("a\x85b\u2028c\u2029d", r'"a\x85b\u2028c\u2029d"'),
            ("\u202etxt.exe", r'"\u202etxt.exe"'),
            ("\ud800", r'"\ud800"'),
            (42, "42"),
            (0.0031, "0.0031"),
            (True, "True"),
            ([1, "a b"], "\"[1, 'a b']\""),
        ],
    )
    def test_values(self, value, text):
        assert quote(value) == text

    @given(ANY_TEXT)
    def test_any_text_is_one_field_on_one_line(self, text):
        printed = quote(text)
        assert len(printed.splitlines()) <= 1
        assert printed.isprintable() or not text.isprintable()
        assert "=" not in printed
        assert re.fullmatch(r'[^\s"]+|"(?:[^"\\]|\\.)*"', printed)

    @given(st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=4), ANY_TEXT)
    def test_nothing_from_outside_makes_a_second_line_or_event(self, extra, message):
        reserved = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}
        extra = {name: value for name, value in extra.items() if name not in reserved}
        text = line(message.replace("%", ""), **extra)
        assert len(text.splitlines()) <= 1
        text.encode("utf-8")
        assert text.count("event=") <= 1 + message.count("event=")


class TestAnyLogRecord:
    def test_a_value_that_is_none_is_not_printed(self):
        assert line("x", a=None, b=1) == "INFO x b=1"

    def test_a_value_that_cannot_be_shown_is_named(self):
        class Broken:
            def __str__(self):
                raise RuntimeError("no")

        assert line("x", a=Broken(), b=1) == "INFO x a=<Broken> b=1"

    def test_event_comes_last(self):
        assert line("hello", event="e", z=1) == "INFO hello z=1 event=e"

    def test_arguments_are_put_into_the_message(self):
        assert line("%d of %s", 1, "a\nb") == r"INFO 1 of a\nb"

    def test_arguments_that_do_not_fit_are_shown(self):
        assert line("%d of", "x") == "INFO %d of ('x',)"

    def test_a_traceback_stays_on_the_line(self):
        try:
            raise ValueError("boom")
        except ValueError as error:
            info = (type(error), error, error.__traceback__)
        text = line("x", exc_info=info)
        assert text.startswith('INFO x traceback="Traceback (most recent call last):\\n')
        assert text.endswith('ValueError: boom"')
        assert len(text.splitlines()) == 1


def test_a_logger_that_is_not_at_info_costs_nothing_and_prints_nothing(caplog):
    logger = logging.getLogger("zerg_visibility.quiet")
    logger.setLevel(logging.WARNING)
    LogSink(logger).emit(ToolCallRecord(start_us=0, end_us=0))
    assert caplog.records == []


class Untold:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Score(float):
    """Like the numbers of numerical libraries."""


def test_what_has_no_text_costs_only_itself():
    odd = {"prompt_tokens": 10**5_000, "cost_usd": Score(0.5), "model": Untold(), "more": 10**5_000}
    assert line("llm_call_complete", phase="initial", **odd) == (
        "INFO llm_call_complete phase=initial model=<Untold> prompt_tokens=<int> cost_usd=0.5 "
        "more=<int>"
    )
    assert line("a %s", Untold()).startswith("INFO a %s (<")
    assert line(Untold()) == "INFO <Untold>"
