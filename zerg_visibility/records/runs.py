"""What encloses calls: a segment of a commis, and the root run of a concierge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar

from zerg_visibility.records.base import TimedRecord
from zerg_visibility.schema import checkable
from zerg_visibility.status import CommisStatus


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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

    name: str = "commis"
    job_id: int | None = None
    commis_id: str | None = None
    status: CommisStatus = "success"
    concierge_id: str | None = None

    _names: ClassVar[tuple[str, ...]] = (
        "event", "name", "job_id", "commis_id", "status", "start_ts", "end_ts", "duration_ms",
        "error", "trace_id", "span_id", "parent_span_id",
    )  # fmt: skip
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_names)


@checkable()
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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
    concierge_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    assistant_id: str | None = None
    graph_id: str | None = None
    user_id: str | None = None
    continues: str | None = None
    labels: Mapping[str, str] | None = None

    _names: ClassVar[tuple[str, ...]] = (
        "event", "name", "status", "start_ts", "end_ts", "duration_ms", "error", "concierge_id",
        "thread_id", "run_id", "assistant_id", "graph_id", "user_id", "trace_id", "span_id",
        "parent_span_id", "continues", "labels",
    )  # fmt: skip
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_names)
