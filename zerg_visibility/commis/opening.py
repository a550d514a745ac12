"""Starting a segment: which handler sees it, which commis it is, what encloses it."""

from __future__ import annotations

from typing import Any, cast
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langgraph.config import get_config

from zerg_visibility.callbacks.activation import active_handler
from zerg_visibility.callbacks.context import current_commis
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.callbacks.runs import RunId
from zerg_visibility.commis.beginning import Beginning
from zerg_visibility.commis.live import LiveCommis, Turn
from zerg_visibility.commis.options import CommisOptions
from zerg_visibility.commis.registry import registry
from zerg_visibility.commis.resume_key import ResumeKey, identify
from zerg_visibility.commis.segment import Segment
from zerg_visibility.commis.texts import task_text
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.redaction import safely
from zerg_visibility.store.metadata import UNKNOWN_OWNER
from zerg_visibility.words import is_storable, one_line


def open_segment(
    options: CommisOptions,
    fallback: VisibilityCallbackHandler,
    graph_config: RunnableConfig | None,
    graph_name: str,
    given: Any,
    config: RunnableConfig | None,
) -> Segment | None:
    """Start a segment of a commis.

    Args:
        options: How it is watched.
        fallback: The handler to use if the run has none.
        graph_config: What the graph was configured with.
        graph_name: The graph's own name.
        given: The graph's input.
        config: The config it is called with.

    Returns:
        The segment; None if watching it failed altogether, which is counted as a dropped record.
    """
    handler, parent_run_id, is_ours = _find_handler(graph_config, config)
    if handler is None:
        handler = fallback
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
    identity = identify(config, given, options.name, owner_id)
    outer = current_commis.get()
    span_id = uuid4().hex[16:]
    enclosing = handler.tracker.enclosing(parent_run_id)
    if enclosing is not None:
        outer = enclosing[2]
    if enclosing is None:
        root = handler.tracker.new_root(ensure_config(config).get("metadata", {}))
        parent_span_id = root.parent_span_id
    else:
        root, parent_span_id, _ = enclosing

    def create() -> LiveCommis:
        beginning = Beginning(
            name=one_line(redact(options.name or identity.node or graph_name), 100) or "commis",
            task=redact(_task(options, handler, given, withheld=withheld)),
            owner_id=owner_id,
            parent_commis_id=None if outer is None else outer.commis_id,
            concierge_id=root.concierge_id,
            trace_id=root.trace_id,
            span_id=span_id,
            thread_id=identity.thread_id,
            start_us=handler.clock.wall_us(),
        )
        return LiveCommis.create(store, beginning, redact, options.capture, handler.diagnostics)

    turn = Turn(identity.execution)
    known = None
    if identity.key is not None and identity.may_continue:
        known = store.commis_of_key(identity.key, on_disk=identity.checkpointed)
    beside = known is not None and registry.is_at_work(store, known, identity.execution)
    if known is None or beside:
        live = create()
        registry.put(store, live, turn)
        # Some servers give parallel tool calls one id. The first of them is found by it.
        if identity.key is not None and not beside:
            _remember(store, identity, live, handler)
    else:
        live = registry.take(
            store,
            known,
            turn,
            lambda earlier: LiveCommis.reopen(
                store, known, redact, options.capture, handler.diagnostics, earlier
            ),
        )
    return Segment(
        live=live,
        handler=handler,
        options=options,
        store=store,
        config=config,
        given=given,
        root=root,
        outer=outer,
        span_id=span_id,
        parent_span_id=parent_span_id,
        first=known is None or beside,
        turn=turn,
    )


def _remember(
    store: CommisStore,
    identity: ResumeKey,
    live: LiveCommis,
    handler: VisibilityCallbackHandler,
) -> None:
    assert identity.key is not None
    try:
        store.remember_key(identity.key, live.commis_id, on_disk=identity.checkpointed)
    except Exception as error:  # whatever it is, the commis itself can be watched
        handler.diagnostics.note("write the key of a resumable commis", error)


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
