"""Running a scenario in each of the ways a user may: with a handler, without, by environment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from tests.scenarios.expect import Commis, observed, plain
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    HandlerStats,
    VisibilityCallbackHandler,
    create_commis_node,
    visibility,
)

Way = Literal["handler", "node alone", "switched on"]
WAYS: tuple[Way, ...] = ("handler", "node alone")
"""Every row is run in the third way too, in a process of its own that sets the real variable."""


class Watch:
    """What a scenario gets: makes commis of graphs, and runs graphs as the way at hand asks."""

    def __init__(self, root: Path, way: Way, is_async: bool) -> None:
        self.store = CommisStore(root)
        self.way = way
        self.is_async = is_async
        self.handler = VisibilityCallbackHandler(self.store)
        self.nodes: list[Any] = []
        self.raised: BaseException | None = None

    def commis(self, graph: Any, **options: Any) -> Any:
        """Make a commis of a graph."""
        node = create_commis_node(graph, store=self.store, **options)
        self.nodes.append(node)
        return node

    def config(self, **configurable: Any) -> dict[str, Any]:
        """A config with the handler, where the way at hand passes one."""
        callbacks = [self.handler] if self.way == "handler" else []
        return {"callbacks": callbacks, "configurable": configurable, "recursion_limit": 40}

    def run(self, graph: Any, given: Any, config: dict[str, Any] | None = None, **kw: Any) -> Any:
        """Invoke a graph, sync or async; what it raises is kept."""
        config = config or self.config()
        try:
            if self.is_async:
                return asyncio.run(graph.ainvoke(given, config, **kw))
            return graph.invoke(given, config, **kw)
        except Exception as error:
            self.raised = error
            return None

    def run_async(self, coroutine: Any) -> Any:
        """Run a coroutine; what it raises is kept, a cancellation too."""

        async def kept() -> Any:
            try:
                return await coroutine
            except (Exception, asyncio.CancelledError) as error:
                self.raised = error
                return None

        return asyncio.run(kept())

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Switch watching on for a block, where the way at hand does so."""
        if self.way == "switched on":
            with visibility(self.handler):
                yield
        else:
            yield


@dataclass
class Seen:
    """What a scenario left behind."""

    commis: tuple[Commis, ...]
    metadata: list[CommisMetadata]
    concierge: list[dict[str, Any]]
    stats: HandlerStats
    raised: BaseException | None
    watch: Watch = field(repr=False)


Run = Callable[[Watch], Any]


def execute(run: Run, root: Path, way: Way, is_async: bool, *, any_order: bool = False) -> Seen:
    """Run a scenario and read what it left, as a reader would."""
    watch = Watch(root, way, is_async)
    with watch.active():
        run(watch)
    metadata = sorted(watch.store.recent(), key=lambda m: m.job_id or 0)
    concierge = [
        plain(record, None)
        for path in sorted(root.glob("concierge/*/metrics.jsonl"))
        for record in _records(path)
    ]
    return Seen(
        commis=_tree(watch.store, metadata, any_order),
        metadata=metadata,
        concierge=concierge,
        stats=watch.handler.stats,
        raised=watch.raised,
        watch=watch,
    )


def _records(path: Path) -> Any:
    """The calls and commis of a root run; its last line tells of the run itself."""
    from zerg_visibility.records.codec import record_from_dict

    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["event"] for line in lines].count("concierge_run") == 1
    return [record_from_dict(line) for line in lines if line["event"] != "concierge_run"]


def _tree(store: CommisStore, metadata: list[CommisMetadata], any_order: bool) -> tuple[Any, ...]:
    def below(parent: str | None) -> tuple[Commis, ...]:
        found = []
        for item in metadata:
            if item.parent_commis_id != parent:
                continue
            read = store.records(item.commis_id)
            assert read.remark is None
            one = observed(item, read.items, any_order)
            found.append(
                Commis(
                    one.name,
                    one.status,
                    one.records,
                    one.segments,
                    one.attempts,
                    one.error,
                    below(item.commis_id),
                )
            )
        return tuple(found)

    return below(None)
