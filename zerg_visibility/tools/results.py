"""read_commis_result: what a commis answered, or how it stands."""

from __future__ import annotations

from contextlib import suppress

from zerg_visibility import words
from zerg_visibility.errors import FileNotInCommisError
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.excerpt import excerpt
from zerg_visibility.read.result import finished_calls, render_result
from zerg_visibility.store.layout import RESULT
from zerg_visibility.tools.access import ConciergeView


def read_result(view: ConciergeView, job_id: int | str) -> str:
    """Give the answer of a commis with its execution time."""
    commis = view.find(job_id)
    result = None
    with suppress(FileNotInCommisError), view.store.open_file(commis.commis_id, RESULT) as file:
        result = excerpt(file, RESULT, view.max_bytes).text
    if commis.problem is not None:
        return _render_unreadable(commis, result)
    if commis.status == "success" and view.detail != "full":
        return render_result(commis.metadata, result)
    return render_result(commis.read().metadata, result, commis, detail=view.detail)


def _render_unreadable(commis: Commis, result: str | None) -> str:
    calls = commis.timeline
    text = (
        f"Result from {commis.label}:\n\n"
        "Execution time: unknown\n\n"
        "Its metadata.json cannot be read, so its status and execution time are not known."
    )
    if finished := finished_calls(calls.totals, calls):
        text += f"\nFinished calls took {words.duration(calls.busy_ms)}: {finished}"
    return f"{text}\n\n" + (f"Its result.txt says:\n\n{result}" if result else "It left no result.")
