"""Watching graphs without passing callbacks: for a block of code, or for a whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from langchain_core.tracers.context import register_configure_hook

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
) -> Iterator[VisibilityCallbackHandler]:
    """Watch every graph that is run inside the block, in this thread or task.

    A handler that is passed in a config wins. Tasks and threads that copy the context are watched
    too; a plain `threading.Thread` is not, since LangChain sends no events from there.

    Args:
        store: Where records go, or a handler made for the purpose; CommisStore() if not given.

    Yields:
        The handler.
    """
    handler = (
        store if isinstance(store, VisibilityCallbackHandler) else VisibilityCallbackHandler(store)
    )
    token = active_handler.set(handler)
    try:
        yield handler
    finally:
        # A server may step an async generator in tasks of its own: where the block is left in
        # another context than it was entered in, there is nothing to put back.
        with suppress(ValueError):
            active_handler.reset(token)
