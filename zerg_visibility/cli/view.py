"""Reading what is shown of a commis, finished or not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import CommisNotFoundError
from zerg_visibility.read.children import Descendants, descendants
from zerg_visibility.read.commis import CommisNow, look_at
from zerg_visibility.store.layout import job_number


@dataclass(frozen=True, slots=True, kw_only=True)
class CommisView:
    """All that is shown of one commis.

    Args:
        commis: How it stands.
        below: The commis that it started, and those that they did.
        folder: Its directory.
        files: The files in it, relative to the directory.
    """

    commis: CommisNow
    below: Descendants
    folder: Path
    files: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of `show --json`."""
        commis, times = self.commis, self.commis.times
        return {
            "metadata": commis.metadata.to_dict(),
            "records": [record.to_dict() for record in commis.read.items],
            "in_flight": [start.to_dict() for start in commis.calls.in_flight],
            "waiting": [start.to_dict() for start in commis.calls.waiting],
            "timeline": {
                "duration_ms": times.duration_ms,
                "llm_ms": times.llm_ms,
                "tool_ms": times.tool_ms,
                "busy_ms": times.busy_ms,
                "open_ms": times.open_ms,
                "other_ms": times.other_ms,
            },
            "descendants": self.below.to_dict(),
            "unreadable_lines": commis.read.unreadable,
            "torn_last_line": commis.read.torn,
            "folder": str(self.folder),
            "files": list(self.files),
        }


def view_commis(store: CommisStore, job: str) -> CommisView:
    """Read all that is shown of a commis.

    Args:
        store: Where it lies.
        job: A job id or commis id, as a user typed it.

    Raises:
        CommisNotFoundError: There is none; the message names the latest jobs.
    """
    try:
        commis_id = store.find(job)
    except CommisNotFoundError as error:
        latest = ", ".join(str(item.job_id) for item in islice(store.recent(), 5))
        hint = f"Latest jobs: {latest}." if latest else "It holds none yet."
        raise CommisNotFoundError(f"{error}. {hint}") from error
    metadata = store.metadata_or_stub(commis_id, job_number(job))
    commis = look_at(store, metadata, SYSTEM_CLOCK.wall_us())
    return CommisView(
        commis=commis,
        below=descendants(store, commis_id, commis.read.items),
        folder=store.folder(commis_id),
        files=tuple(store.files(commis_id)),
    )
