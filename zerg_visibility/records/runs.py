"""What encloses calls: a segment of a commis, and the root run of a concierge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

from zerg_visibility.records.base import TimedRecord
from zerg_visibility.records.columns import column, record
from zerg_visibility.status import CommisStatus


@record
class CommisRunRecord(TimedRecord):
    """One segment of a commis: from its start, resume or retry to the next time it stopped.

    Args:
        name: The commis's name, as the concierge's graph or tool calls it.
        job_id: The number under which the concierge knows it.
        commis_id: The name of its directory.
        status: How the segment ended.
        concierge_id: The concierge's root run that it was started in (not part of the JSON; it
            says which file the record belongs to).
    """

    event: ClassVar[str] = "commis_run"
    logged_as: ClassVar[str] = "commis_complete"
    logged: ClassVar[tuple[str, ...]] = (
        "name", "status", "duration_ms", "commis_id", "job_id", "error", "trace_id", "span_id",
    )  # fmt: skip

    name: str = "commis"
    job_id: int | None = None
    commis_id: str | None = None
    status: CommisStatus = "success"
    start_us: int
    end_us: int
    error: str | None = None
    concierge_id: str | None = column(default=None, hidden=True)
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None


@record
class ConciergeRunRecord(TimedRecord):
    """One root run of a concierge that made calls or started commis.

    Args:
        name: What its graph is called.
        status: How it ended.
        concierge_id: The name of its directory.
        thread_id: The LangGraph thread, where there is one.
        run_id: The server's run, where one is named in the config's metadata, as are the following.
        assistant_id: The server's assistant.
        graph_id: The server's name of the graph.
        user_id: Whose run it is, as the server says.
        continues: The root run that it resumes, by its concierge id.
        labels: What the user calls the run, for comparing it with others.
    """

    event: ClassVar[str] = "concierge_run"

    name: str = "concierge"
    status: CommisStatus = "success"
    start_us: int
    end_us: int
    error: str | None = None
    concierge_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    assistant_id: str | None = None
    graph_id: str | None = None
    user_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    continues: str | None = None
    labels: Mapping[str, str] | None = field(default=None, hash=False)
