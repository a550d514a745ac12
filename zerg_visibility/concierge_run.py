"""The root run of a concierge, as the last line of its metrics.jsonl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, TypeAlias

from zerg_visibility.records import Record, TimedRecord
from zerg_visibility.status import CommisStatus
from zerg_visibility.typed import checkable


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

    _names: ClassVar[tuple[str, ...]] = (
        "event", "name", "status", "start_ts", "end_ts", "duration_ms", "error", "concierge_id",
        "thread_id", "run_id", "assistant_id", "graph_id", "user_id", "trace_id", "span_id",
        "parent_span_id",
    )  # fmt: skip
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_names)


AnyRecord: TypeAlias = Record | ConciergeRunRecord
"""What sinks take; the files of commis hold no root runs."""
