"""Records and JSON lines: one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from zerg_visibility.jsonable import is_soon_written, plain
from zerg_visibility.records.base import UnknownEventError
from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord
from zerg_visibility.records.runs import CommisRunRecord, ConciergeRunRecord

Record: TypeAlias = LLMCallRecord | ToolCallRecord | CommisRunRecord

AnyRecord: TypeAlias = Record | ConciergeRunRecord
"""What sinks take; the files of commis hold no root runs."""

_BY_EVENT: dict[str, type[AnyRecord]] = {
    LLMCallRecord.event: LLMCallRecord,
    ToolCallRecord.event: ToolCallRecord,
    CommisRunRecord.event: CommisRunRecord,
    ConciergeRunRecord.event: ConciergeRunRecord,
}


def record_from_dict(data: Mapping[str, Any]) -> AnyRecord:
    """Read any record from its JSON object.

    Raises:
        UnknownEventError: It is of a newer version.
        ValueError: There is no event, or a field is missing or malformed.
    """
    event = data.get("event")
    if not isinstance(event, str):
        raise ValueError(f"no event: {event!r}")
    cls = _BY_EVENT.get(event)
    if cls is None:
        raise UnknownEventError(f"unknown event {event!r}")
    return cls.from_dict(data)


def json_line(data: Any) -> bytes:
    """Write anything as JSON on one line of bytes, whatever strings and values it holds."""
    if is_soon_written(data):
        return flat_line(data)
    return orjson.dumps(plain(data), option=orjson.OPT_APPEND_NEWLINE)


def flat_line(data: Mapping[str, Any]) -> bytes:
    """Write a JSON object in which nothing is nested, such as a record's, as one line of bytes."""
    try:
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # A lone surrogate, an integer beyond 64 bits or a foreign object: rare, so paid only here.
        return orjson.dumps(plain(data), option=orjson.OPT_APPEND_NEWLINE)
