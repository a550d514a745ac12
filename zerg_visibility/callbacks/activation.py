"""Watching graphs without passing callbacks: for a block of code, or for a whole process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar

from langchain_core.tracers.context import register_configure_hook

from zerg_visibility.arguments import expect
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.settings import switched_on

# The default is what threads see that inherit no context. LangChain would build a handler anew at
# every run if it were given the environment variable itself.
active_handler: ContextVar[VisibilityCallbackHandler | None] = ContextVar(
    "zerg_visibility_handler", default=VisibilityCallbackHandler() if switched_on() else None
)
"""The handler that watches graphs whose config names none."""

register_configure_hook(active_handler, inheritable=True, handle_class=VisibilityCallbackHandler)


@contextmanager
def visibility(
    store: CommisStore | VisibilityCallbackHandler | None = None,
    *,
    labels: Mapping[str, str] | None = None,
) -> Iterator[VisibilityCallbackHandler]:
    """Watch every graph that is run inside the block, in this thread or task.

    A handler that is passed in a config wins. Tasks and threads that copy the context are watched
    too; a plain `threading.Thread` is not, since LangChain sends no events from there.

    Args:
        store: Where records go, or a handler made for the purpose, which is left open at the end;
            CommisStore() if not given.
        labels: What to call the runs, for comparing them with others, as in {"variant": "b"}.

    Yields:
        The handler.
    """
    if isinstance(store, VisibilityCallbackHandler):
        expect("labels", labels, labels is None, "None where a handler is given, which has its own")
        handler = store
        ours: AbstractContextManager[object] = nullcontext()
    else:
        handler = ours = VisibilityCallbackHandler(store, labels=labels)
    with ours:
        token = active_handler.set(handler)
        try:
            yield handler
        finally:
            # A server may step an async generator in tasks of its own: where the block is left in
            # another context than it was entered in, there is nothing to put back.
            with suppress(ValueError):
                active_handler.reset(token)
