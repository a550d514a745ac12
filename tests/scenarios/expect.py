"""How a scenario says what should be recorded, and how it is compared with what was.

Times, ids and paths differ from run to run: they are checked for consistency and then taken out.
Everything else of every record is compared whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from zerg_visibility import CommisMetadata, CommisRunRecord, Record


def llm(phase: str | None = "initial", **changes: Any) -> dict[str, Any]:
    """One LLM call of the scripted model; give what differs, None for what is absent."""
    fields = {
        "event": "llm_call",
        "phase": phase,
        "model": "scripted-2026",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "requested_model": "scripted",
        "success": True,
        "node": "think",
        "attempt": 1,
    }
    return _given({**fields, **changes})


def no_answer(phase: str | None = "initial", error: str = "cancelled", **more: Any) -> dict:
    """An LLM call that brought nothing."""
    none = {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}
    return llm(phase, success=False, error=error, model="scripted", **{**none, **more})


def call(name: str, error: str | None = None, **changes: Any) -> dict[str, Any]:
    """One tool call."""
    fields = {
        "event": "tool_call",
        "tool": name,
        "success": error is None,
        "error": error,
        "tool_call_id": f"{name}-1",
        "node": "tools",
        "attempt": 1,
    }
    return _given({**fields, **changes})


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Commis:
    """One commis: how it ended, its records in the order of their ends, and those it started."""

    name: str
    status: str
    records: tuple[Any, ...] = ()
    segments: int = 1
    attempts: int = 1
    error: str | None = None
    children: tuple[Commis, ...] = ()
    any_order: bool = field(default=False, compare=False)


def commis(name: str, status: str, *records: Any, **more: Any) -> Commis:
    """Say what one commis should look like."""
    return Commis(name, status, tuple(records), **more)


def observed(metadata: CommisMetadata, records: Iterable[Record], sort: bool) -> Commis:
    """Put what a store holds of one commis into the form of an expectation."""
    lines = [
        plain(record, metadata) for record in records if not isinstance(record, CommisRunRecord)
    ]
    if sort:
        lines.sort(key=str)
    return Commis(
        name=metadata.name,
        status=metadata.status,
        records=tuple(lines),
        segments=metadata.segments,
        attempts=metadata.attempts,
        error=metadata.error,
    )


PLACE = r"(\w[^|:]*(:[0-9a-f]{8})?\||\d+\|)*\w[^|:]*:[0-9a-f]{8}"
"""Nodes, each with eight digits of its task, and numbers of attempts in between."""


def plain(record: Record, metadata: CommisMetadata | None) -> dict[str, Any]:
    """Check what differs from run to run, and give the rest."""
    fields = record.to_dict()
    assert record.start_us <= record.end_us
    assert fields.pop("duration_ms") == (record.end_us - record.start_us) // 1000
    assert fields.pop("start_ts") <= fields.pop("end_ts")
    assert len(fields.pop("trace_id")) == 32
    assert len(fields.pop("span_id")) == 16
    assert len(fields.pop("parent_span_id")) == 16
    if metadata is not None:
        assert fields.pop("commis_id") == metadata.commis_id
        assert fields.pop("commis_name") == metadata.name
        assert re.fullmatch(PLACE, fields.pop("ns"))
    assert (fields.pop("concierge_id", None) is None) == (record.concierge_id is None)
    if fields.pop("ttft_ms", None) is not None:
        fields["ttft"] = True
    for name in ("ns", "provider", "agent", "args_bytes"):
        fields.pop(name, None)
    if "output_file" in fields:
        assert fields.pop("output_file").startswith("tool_calls/0")
        fields.pop("output_bytes")
    return fields
