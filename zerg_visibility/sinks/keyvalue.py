"""Tier 3's line format: key=value, one event a line, fit for grep and awk."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.words import UNPRINTABLE

# What logging itself puts on a record is no field of the event.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


# Of each record, what its line shows: the column, and the name that the line gives it. `name` is
# the logger's own on a log record. That a model's call succeeded is not said, as the specification
# has it.
_LOGGED = {
    cls: [(column, "commis_name" if column == "name" else column) for column in cls.logged]
    for cls in (LLMCallRecord, ToolCallRecord, CommisRunRecord)
}
_WITHOUT_FAILURE = [pair for pair in _LOGGED[LLMCallRecord] if pair[0] not in {"success", "error"}]

# For each event its fields in order, and all names that are not extra to it.
_ORDERS = {
    cls.logged_as: (
        [(name, name) for _, name in shown],
        _STANDARD.union((name for _, name in shown), {"event"}),
    )
    for cls, shown in _LOGGED.items()
}
_OTHER = _ORDERS[LLMCallRecord.logged_as]

# Within a value, the name of an event would be found by who searches for its lines.
_EVENT = r"_(?=complete)(?:(?<=llm_call_)|(?<=tool_call_)|(?<=commis_))"
_HAS_EVENT = re.compile(_EVENT)
_PLAIN = re.compile(rf"[^\s\"'=\\{UNPRINTABLE}]+\Z")
_ESCAPED_IN_VALUE = re.compile(rf"[\"=\\{UNPRINTABLE}]|{_EVENT}")
_ESCAPED_IN_MESSAGE = re.compile(rf"[{UNPRINTABLE}]|{_EVENT}")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


REMEMBERED_MAX = 500
"""Characters of a value whose quoted form is kept for the next line; errors have no more."""


class KeyValueFormatter(logging.Formatter):
    r"""Writes a log record as `2025-12-15 03:19:33 INFO message key=value ... event=message`.

    All fields given as `extra` are printed: the specification's first and in its order, `event`
    last, None not at all. A value with a space, a quote, `=` or a control character is quoted and
    escaped, `=` as `\x3d`, so that no text from outside can make a second line or a false field. So
    is the last `_` of an event's name, as `\x5f`, for who searches for the lines of that event.
    Times are local, as is usual in log files.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second: tuple[int, str] = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """Write one record as one line."""
        message = _text(record.msg) if not record.args else _message(record)
        fields = record.__dict__
        order, known = _ORDERS.get(message, _OTHER)
        parts = self._beginning(record.created, record.levelname, message)
        _add_fields(parts, order, fields)
        if not fields.keys() <= known:
            for name, value in fields.items():
                if name not in known and value is not None:
                    parts.append(f"{quote(name)}={quote(value)}")
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(f"traceback={quote(self.formatException(record.exc_info))}")
        if fields.get("event") is not None:
            event = fields["event"]
            ours = type(event) is str and event in _ORDERS
            parts.append(f"event={event if ours else quote(event)}")
        return " ".join(parts)

    def line(self, created: float, record: Record) -> str:
        """Write one of our records as `format` writes the log record that is made of it."""
        parts = self._beginning(created, "INFO", record.logged_as)
        _add_fields(parts, _shown(record), vars(record))
        parts.append(f"event={record.logged_as}")
        return " ".join(parts)

    def _beginning(self, created: float, level: str, message: str) -> list[str]:
        shown = message if message in _ORDERS else escape_message(message)
        return [self._time(created), level, shown]

    def _time(self, created: float) -> str:
        second = int(created)
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = (second, text)
        return text


def _shown(record: Record) -> list[tuple[str, str]]:
    succeeded = type(record) is LLMCallRecord and record.success
    return _WITHOUT_FAILURE if succeeded else _LOGGED[type(record)]


def log_fields(record: Record) -> dict[str, Any]:
    """Give the attributes that a record adds to a log record, without names logging itself uses."""
    found = vars(record)
    fields = {name: found.get(column) for column, name in _shown(record)}
    return {"event": record.logged_as, **fields}


def _add_fields(
    parts: list[str], shown: Iterable[tuple[str, str]], found: Mapping[str, Any]
) -> None:
    get = found.get
    for column, name in shown:
        value = get(column)
        if value is None:
            continue
        if type(value) is str:
            # Hexadecimal ids need no look at each character; names come again and again.
            if not value.isalnum():
                value = _remembered(value) if len(value) <= REMEMBERED_MAX else _quoted(value)
        elif type(value) is not int or value.bit_length() > 64:
            value = quote(value)
        parts.append(f"{name}={value}")


def quote(value: Any) -> str:
    """Write a value so that it is one field and stays on its line."""
    kind = type(value)
    text = value if kind is str else _text(value)
    if kind is int or kind is bool or kind is float:
        return text
    return _remembered(text) if len(text) <= REMEMBERED_MAX else _quoted(text)


def _quoted(text: str) -> str:
    if _PLAIN.match(text) and not _HAS_EVENT.search(text):
        return text
    return f'"{_ESCAPED_IN_VALUE.sub(_escape, text)}"'


# Names, ids and errors come again and again.
_remembered = lru_cache(maxsize=512)(_quoted)


def escape_message(message: str) -> str:
    """Keep a log message on one line; plain text is left as it is."""
    return _ESCAPED_IN_MESSAGE.sub(_escape, message)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _SHORT_ESCAPES.get(char) or _code(code)


def _code(code: int) -> str:
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # too few arguments for the text, or one whose __str__ raises
        return f"{_text(record.msg)} {_text(record.args)}"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # a foreign object's, or a number too long; the line matters more than it
        return f"<{type(value).__name__}>"
