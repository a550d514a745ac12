"""list_commis: recent commis, one line each."""

from __future__ import annotations

from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.clock import SYSTEM_CLOCK, format_us
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.result import up_to
from zerg_visibility.status import STATUSES
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.tools.access import ConciergeView
from zerg_visibility.tools.window import window_start_us, window_text

MAX_LIMIT = 200
"""The most commis in one list."""

NAME_MAX = 40
TASK_MAX = 100

NOTE_BYTES = 200
"""Kept free for the header and the line that says how to see more."""


def list_recent(
    view: ConciergeView, status: str | None = None, since_hours: float = 24, limit: int = 20
) -> str:
    """List the owner's recent commis, newest first.

    Raises:
        ToolException: An argument is not one of the valid choices.
    """
    if status is not None and status not in STATUSES:
        raise ToolException(
            f"Unknown status '{words.one_line(status, 30)}'; use one of {', '.join(STATUSES)}."
        )
    if not 1 <= limit <= MAX_LIMIT:
        raise ToolException(f"limit must be from 1 to {MAX_LIMIT}.")
    since_us = window_start_us(since_hours)
    now_us = SYSTEM_CLOCK.wall_us()
    lines: list[str] = []
    room = view.max_bytes - NOTE_BYTES
    more = False
    for metadata in view.recent(status=status, since_us=since_us):
        line = _line(metadata, Commis(view.store, metadata, now_us).at_work_ms)
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


def _line(metadata: CommisMetadata, worked_ms: int | None) -> str:
    started = metadata.started_us
    moment = "unknown" if started is None else f"{format_us(started)[:19]}Z"
    return (
        f"job {metadata.job_id}: {metadata.status}, {_time(metadata, worked_ms)}, "
        f"{words.one_line(metadata.name, NAME_MAX)}, started {moment}: "
        f"{words.one_line(metadata.task or metadata.error or 'no task', TASK_MAX)}"
    )


def _time(metadata: CommisMetadata, worked_ms: int | None) -> str:
    if worked_ms is None:
        return "time unknown"
    return words.duration(worked_ms) + up_to(metadata.status)
