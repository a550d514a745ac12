"""What a commis starts with."""

from __future__ import annotations

from dataclasses import dataclass

from zerg_visibility.clock import format_us
from zerg_visibility.store.metadata import CommisMetadata

TASK_MAX = 10_000
"""Characters of a task in metadata.json; it is read whole at every listing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is known of a commis when its first segment starts.

    Args:
        name: What to call it.
        task: What it is asked to do, already redacted.
        owner_id: Whose it is.
        parent_commis_id: The commis that started it.
        concierge_id: The concierge's root run.
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        thread_id: The LangGraph thread.
        start_us: Microseconds since 1970.
    """

    name: str
    task: str
    owner_id: str | None
    parent_commis_id: str | None
    concierge_id: str | None
    trace_id: str | None
    span_id: str | None
    thread_id: str | None
    start_us: int

    def metadata(self, commis_id: str, job_id: int | None) -> CommisMetadata:
        """Give the first metadata.json.

        Args:
            commis_id: The name of its directory.
            job_id: Its number; None if it could not be given one yet.
        """
        moment = format_us(self.start_us)
        return CommisMetadata(
            commis_id=commis_id,
            job_id=job_id,
            name=self.name,
            task=self.task[:TASK_MAX],
            created_at=moment,
            started_at=moment,
            owner_id=self.owner_id,
            parent_commis_id=self.parent_commis_id,
            concierge_id=self.concierge_id,
            trace_id=self.trace_id,
            span_id=self.span_id,
            thread_id=self.thread_id,
        )
