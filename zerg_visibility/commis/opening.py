"""Starting a segment: which handler sees it, which commis it is, what encloses it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Generic, TypeVar, cast
from uuid import uuid4
from weakref import WeakValueDictionary

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langgraph.config import get_config

from zerg_visibility.callbacks.activation import active_handler
from zerg_visibility.callbacks.context import current_commis
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.callbacks.runs import NAME_MAX, ActiveSegment, RunId
from zerg_visibility.clock import format_for_name, format_us
from zerg_visibility.commis.live import LiveCommis
from zerg_visibility.commis.options import CommisOptions
from zerg_visibility.commis.resume_key import identify
from zerg_visibility.commis.segment import Segment
from zerg_visibility.commis.texts import task_text
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.labels import merged_labels, redacted_labels
from zerg_visibility.redaction import safely
from zerg_visibility.store import layout
from zerg_visibility.store.metadata import TASK_MAX, UNKNOWN_OWNER, CommisMetadata
from zerg_visibility.words import is_storable, one_line

ValueT = TypeVar("ValueT")


class Shared(ForkSafe, Generic[ValueT]):
    """One object for each key in this process, for as long as anybody refers to it."""

    def __init__(self) -> None:
        super().__init__()
        self._known: WeakValueDictionary[Hashable, ValueT] = WeakValueDictionary()

    def put(self, key: Hashable, value: ValueT) -> None:
        """Share an object."""
        with self._lock:
            self._known[key] = value

    def get(self, key: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """Give the object of a key, else make it; whatever makes it must wait for nobody."""
        with self._lock:
            value = self._known.get(key)
            if value is None:
                value = self._known[key] = make()
            return value


_live_commis: Shared[LiveCommis] = Shared()
"""By root and id."""

_handlers: Shared[VisibilityCallbackHandler] = Shared()
"""Of commis that run where none is given, by store."""


_without_handler = Diagnostics()
"""For what no handler can count."""


def shared_handler(store: CommisStore | None) -> VisibilityCallbackHandler:
    """Give the handler of all nodes of a store, of the default one if none is given."""
    store = store or CommisStore()
    key = (type(store), store.root, store.modes)
    return _handlers.get(key, lambda: VisibilityCallbackHandler(store))


def open_segment(
    options: CommisOptions,
    fallback: Callable[[], VisibilityCallbackHandler],
    graph_config: RunnableConfig | None,
    graph_name: str,
    given: Any,
    config: RunnableConfig | None,
) -> Segment | None:
    """Start a segment of a commis; None, and a dropped record, if watching it fails altogether.

    The graph was configured with one config, and is called with the other one.
    """
    found, parent_run_id, is_ours = _find_handler(graph_config, config)
    try:
        handler = found or fallback()
    except Exception as error:  # the default store cannot be named any more
        _without_handler.note("find a handler for a commis", error, dropped=1)
        return None
    try:
        if not is_ours:
            merged = merge_configs(config, {"callbacks": [handler]})
            # Nothing but the callbacks: older LangGraph writes into the metadata it is given, and
            # a copy would hide that from the outer graph.
            config = cast("RunnableConfig", {**(config or {}), "callbacks": merged["callbacks"]})
        return _open(options, handler, parent_run_id, graph_name, given, config)
    except Exception as error:
        handler.diagnostics.note("start watching a commis", error, dropped=1)
        return None


def _open(
    options: CommisOptions,
    handler: VisibilityCallbackHandler,
    parent_run_id: RunId | None,
    graph_name: str,
    given: Any,
    config: RunnableConfig | None,
) -> Segment:
    store = options.store or handler.store
    own = options.redact
    redact = handler.redact if own is None else safely(own, handler.diagnostics)
    # What is to be redacted may stand in an error of the user's own functions.
    note = partial(handler.diagnostics.note, withheld=redact is not str)
    owner_id: Any = options.owner_id
    if callable(owner_id):
        try:
            owner_id = owner_id(ensure_config(config))
            # What is no text, or has no form in a file, could be read as somebody else's.
            owner_id = owner_id if owner_id is None or is_storable(owner_id) else UNKNOWN_OWNER
        except Exception as error:
            note("tell whose a commis is", error)
            owner_id = UNKNOWN_OWNER
    key = identify(config, given, options.name, owner_id)
    name = one_line(redact(options.name or key.node or graph_name), 100) or "commis"
    enclosing = handler.tracker.enclosing(parent_run_id)
    if enclosing is None:
        root = handler.tracker.new_root(ensure_config(config).get("metadata", {}))
        parent_span_id, outer = root.parent_span_id, current_commis.get()
    else:
        root, parent_span_id, outer = enclosing
    span_id = uuid4().hex[16:]

    live = None
    if key.key is not None and key.may_continue:
        known = store.commis_of_key(key.key, on_disk=key.checkpointed)
        if known is not None:
            make = partial(LiveCommis, store, known, handler.diagnostics)
            live = _live_commis.get((store.root, known), make)
    # Some servers give parallel tool calls one id. The first of them is found by it.
    is_beside = live is not None and live.runs_in(key.execution)
    is_first = live is None or is_beside
    if live is None or is_beside:
        labels = merged_labels(options.labels or {}, root.labels)
        try:
            task = redact(str((options.task or task_text)(given)))
        except Exception as error:
            note("make a task text of a commis's input", error)
            task = ""
        thread_id = key.thread_id
        start_us = handler.clock.wall_us()
        commis_id, job_id = _make_directory(store, task or name, start_us, handler)
        moment = format_us(start_us)
        metadata = CommisMetadata(
            commis_id=commis_id,
            job_id=job_id,
            name=name,
            task=task[:TASK_MAX],
            created_at=moment,
            started_at=moment,
            owner_id=owner_id,
            parent_commis_id=None if outer is None else outer.commis_id,
            concierge_id=root.concierge_id,
            trace_id=root.trace_id,
            span_id=span_id,
            thread_id=None if thread_id is None else one_line(redact(thread_id), NAME_MAX),
            labels=redacted_labels(labels, redact) or None,
        )
        live = LiveCommis(store, commis_id, handler.diagnostics, metadata)
        _live_commis.put((store.root, commis_id), live)
    seen = ActiveSegment(
        commis_id=live.commis_id,
        name=name,
        span_id=span_id,
        parent_span_id=parent_span_id,
        root=root,
        outer=outer,
        run_log=live,
        owner=handler.tracker,
        execution=key.execution,
    )
    live.expect(seen, redact, options.capture)
    if is_first and key.key is not None and not is_beside:
        with handler.diagnostics.guard("write the key of a resumable commis"):
            store.remember_key(key.key, live.commis_id, on_disk=key.checkpointed)
    if enclosing is None:
        with handler.diagnostics.guard("write to which trace a commis belongs"):
            store.note_trace(root.trace_id, live.commis_id)
    segment = Segment(live, seen, handler, config, given, options.result)
    segment.begin(is_first=is_first)
    return segment


def _make_directory(
    store: CommisStore, task: str, start_us: int, handler: VisibilityCallbackHandler
) -> tuple[str, int | None]:
    """Give a new commis its id and number; without a directory, the number is still to come."""
    try:
        return store.create(task, start_us)
    except Exception as error:  # not only of the system: detectors of blocking calls raise too
        handler.diagnostics.note("create a commis's directory", error)
        # Unique by chance, since no directory vouches for it.
        return f"{format_for_name(start_us)}_{layout.slug(task)}-{uuid4().hex[:8]}", None


def _find_handler(
    graph_config: RunnableConfig | None, config: RunnableConfig | None
) -> tuple[VisibilityCallbackHandler | None, RunId | None, bool]:
    """Find a graph's handler, the run around it, and whether the handler gets events already."""
    try:
        ambient: RunnableConfig | None = get_config()
    except RuntimeError:
        ambient = None
    found: VisibilityCallbackHandler | None = None
    parent_run_id: RunId | None = None
    for source in (config, ambient, graph_config):
        callbacks = (source or {}).get("callbacks")
        if isinstance(callbacks, BaseCallbackManager):
            if parent_run_id is None and callbacks.parent_run_id is not None:
                parent_run_id = callbacks.parent_run_id.int
            handlers = callbacks.handlers
        else:
            handlers = callbacks if isinstance(callbacks, list) else []
        if found is None:
            found = next((h for h in handlers if isinstance(h, VisibilityCallbackHandler)), None)
    if found is not None:
        return found, parent_run_id, True
    return active_handler.get(), parent_run_id, False
