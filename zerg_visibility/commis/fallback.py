"""The handler of commis that run where no handler is given: one a store, shared by all nodes."""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakValueDictionary

from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.forksafe import ForkSafe


class SharedHandlers(ForkSafe):
    """Handlers by store, for as long as a node holds one."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: WeakValueDictionary[Hashable, VisibilityCallbackHandler] = (
            WeakValueDictionary()
        )

    def of(self, store: CommisStore | None) -> VisibilityCallbackHandler:
        """Give the handler of a store.

        Args:
            store: The store; None for the default one as the environment names it now.
        """
        store = store or CommisStore()
        key = (type(store), store.root, store.modes)
        with self._lock:
            handler = self._handlers.get(key)
            if handler is None:
                handler = self._handlers[key] = VisibilityCallbackHandler(store)
            return handler


shared_handlers = SharedHandlers()
"""The handlers of this process that were not given by anybody."""
