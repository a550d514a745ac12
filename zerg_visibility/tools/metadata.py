"""get_commis_metadata: metadata.json as a reader should see it, bounded."""

from __future__ import annotations

from typing import Any

import orjson
from langchain_core.tools import ToolException

from zerg_visibility.records.codec import json_line
from zerg_visibility.tools.access import ConciergeView

RUNS_KEPT = 3
"""Latest segments that are given where all of them would be too long."""

_TEXT_LIMITS = (None, 5_000, 1_000, 200, 40, 10)


def read_metadata(view: ConciergeView, job_id: int | str) -> str:
    """Give the metadata of a commis as JSON; texts and segments are cut if it would be too long."""
    commis = view.find(job_id)
    if commis.problem is not None:
        raise ToolException(
            f"The metadata.json of {commis.label} cannot be read; "
            "read_commis_result and get_commis_metrics say what is known without it."
        )
    # Through json_line and back: it alone copes with every string that a task may hold.
    data = orjson.loads(json_line(commis.metadata.to_dict()))
    text = b""
    for limit in _TEXT_LIMITS:
        cut = data if limit is None else _cut(data, limit)
        text = orjson.dumps(cut, option=orjson.OPT_INDENT_2)
        if len(text) <= view.max_bytes:
            break
    return text.decode()


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, list):
        return [_cut(item, limit) for item in value[-RUNS_KEPT:]]
    if isinstance(value, dict):
        return {name: _cut(item, limit) for name, item in value.items()}
    if not isinstance(value, str) or len(value) <= limit:
        return value
    return f"{value[:limit]}… ({len(value):,} characters in all)"
