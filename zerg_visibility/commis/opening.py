"""Starting a segment: which handler sees it, which commis it is, what encloses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langgraph.config import get_config

from zerg_visibility.callbacks.activation import active_handler
from zerg_visibility.callbacks.context import current_commis
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.callbacks.runs import ActiveSegment, RootRun, RunId
from zerg_visibility.clock import format_for_name, format_us
from zerg_visibility.commis.live import LiveCommis
from zerg_visibility.commis.options import CommisOptions
from zerg_visibility.commis.registry import registry
from zerg_visibility.commis.resume_key import identify
from zerg_visibility.commis.segment import Segment
from zerg_visibility.commis.texts import task_text
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.labels import merged_labels, redacted_labels
from zerg_visibility.redaction import safely
from zerg_visibility.store import layout
from zerg_visibility.store.metadata import TASK_MAX, UNKNOWN_OWNER, CommisMetadata
from zerg_visibility.words import is_storable, one_line


def open_segment(
    options: CommisOptions,
    fallback: Callable[[], VisibilityCallbackHandler],
    graph_config: RunnableConfig | None,
    graph_name: str,
    given: Any,
    config: RunnableConfig | None,
) -> Segment | None:
    """Start a segment of a commis.

    Args:
        options: How it is watched.
        fallback: Gives the handler to use if the run has none.
        graph_config: What the graph was configured with.
        graph_name: The graph's own name.
        given: The graph's input.
        config: The config it is called with.

    Returns:
        The segment; None if watching it failed altogether, which is counted as a dropped record.
    """
    found, parent_run_id, is_ours = _find_handler(graph_config, config)
    try:
        handler = found or fallback()
    except Exception as error:  # the default store cannot be named any more
        Diagnostics().note("find a handler for a commis", error, dropped=1)
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
    redact = (
        handler.redact if options.redact is None else safely(options.redact, handler.diagnostics)
    )
    # What is to be redacted may stand in an error of the user's own functions.
    withheld = redact is not str
    owner_id = _owner(options, handler, config, withheld=withheld)
    key = identify(config, given, options.name, owner_id)
    name = one_line(redact(options.name or key.node or graph_name), 100) or "commis"
    enclosing = handler.tracker.enclosing(parent_run_id)
    root, parent_span_id, outer = enclosing or (
        RootRun.alone(ensure_config(config).get("metadata", {})),
        None,
        current_commis.get(),
    )
    span_id = uuid4().hex[16:]

    known = None
    if key.key is not None and key.may_continue:
        known = store.commis_of_key(key.key, on_disk=key.checkpointed)
    live = None if known is None else registry.find(store, known, handler.diagnostics)
    # Some servers give parallel tool calls one id. The first of them is found by it.
    is_beside = live is not None and live.runs_in(key.execution)
    is_first = live is None or is_beside
    if live is None or is_beside:
        own_labels = options.labels or {}
        task = redact(_task(options, handler, given, withheld=withheld))
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
            thread_id=key.thread_id,
            labels=merged_labels(redacted_labels(own_labels, redact), root.labels) or None,
        )
        live = LiveCommis(store, commis_id, handler.diagnostics, metadata)
        registry.add(store, live)
    live.configure(redact, options.capture)
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
    live.expect(seen)
    if is_first and key.key is not None and not is_beside:
        try:
            store.remember_key(key.key, live.commis_id, on_disk=key.checkpointed)
        except Exception as error:  # whatever it is, the commis itself can be watched
            handler.diagnostics.note("write the key of a resumable commis", error)
    if enclosing is None:
        try:
            store.note_trace(root.trace_id, live.commis_id)
        except Exception as error:
            handler.diagnostics.note("write to which trace a commis belongs", error)
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


def _owner(
    options: CommisOptions,
    handler: VisibilityCallbackHandler,
    config: RunnableConfig | None,
    *,
    withheld: bool,
) -> str | None:
    if not callable(options.owner_id):
        return options.owner_id
    try:
        owner = options.owner_id(ensure_config(config))
        # What is no text, or has no form in a file, could be read as somebody else's.
        return owner if owner is None or is_storable(owner) else UNKNOWN_OWNER
    except Exception as error:
        handler.diagnostics.note("tell whose a commis is", error, withheld=withheld)
        return UNKNOWN_OWNER


def _task(
    options: CommisOptions, handler: VisibilityCallbackHandler, given: Any, *, withheld: bool
) -> str:
    try:
        if options.task is not None:
            return str(options.task(given))
        return task_text(given)
    except Exception as error:
        handler.diagnostics.note("make a task text of a commis's input", error, withheld=withheld)
        return ""


def _find_handler(
    graph_config: RunnableConfig | None, config: RunnableConfig | None
) -> tuple[VisibilityCallbackHandler | None, RunId | None, bool]:
    """Find the handler that will see a graph's events.

    Returns:
        The handler, the run that the graph is started in, and whether LangChain delivers events to
        the handler as things stand.
    """
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
