"""list_commis: recent commis, one line each."""

from __future__ import annotations

from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.clock import SYSTEM_CLOCK, format_us
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.result import up_to
from zerg_visibility.status import STATUSES
from zerg_visibility.tools.access import ConciergeView, window_text

MAX_LIMIT = 200
"""The most commis in one list."""

NAME_MAX = 40
TASK_MAX = 100

NOTE_BYTES = 200
"""Kept free for the header and the line that says how to see more."""


def list_recent(
    view: ConciergeView, status: str | None = None, since_hours: float = 24, limit: int = 20
) -> str:
    """List the owner's recent commis, newest first."""
    if status is not None and status not in STATUSES:
        raise ToolException(
            f"Unknown status '{words.one_line(status, 30)}'; use one of {', '.join(STATUSES)}."
        )
    if not 1 <= limit <= MAX_LIMIT:
        raise ToolException(f"limit must be from 1 to {MAX_LIMIT}.")
    now_us = SYSTEM_CLOCK.wall_us()
    lines: list[str] = []
    room, more = view.max_bytes - NOTE_BYTES, False
    for metadata in view.recent(since_hours, status):
        line = _line(Commis(view.store, metadata, now_us))
        room -= len(line.encode()) + 1
        if len(lines) == limit or room < 0:
            more = True
            break
        lines.append(line)
    kind = f" with status {status}" if status else ""
    window = window_text(since_hours)
    if not lines:
        return f"No commis{kind} in {window}. A larger since_hours looks further back."
    header = f"{len(lines)} commis{kind} in {window}, newest first:"
    hint = "\nThere are more: raise limit, name a status, or lower since_hours." if more else ""
    return "\n".join([header, *lines]) + hint


def _line(commis: Commis) -> str:
    known, worked_ms = commis.written, commis.at_work_ms
    moment = "unknown" if known.started_us is None else f"{format_us(known.started_us)[:19]}Z"
    time = "time unknown"
    if worked_ms is not None:
        time = words.duration(worked_ms) + up_to(known.status)
    return (
        f"job {known.job_id}: {known.status}, {time}, "
        f"{words.one_line(known.name, NAME_MAX)}, started {moment}: "
        f"{words.one_line(known.task or known.error or 'no task', TASK_MAX)}"
    )
