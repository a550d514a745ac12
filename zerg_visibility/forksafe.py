"""Locks that neither the garbage collector nor a fork can turn into a deadlock.

The collector may end an abandoned stream in the middle of any of our own steps, on the same thread:
hence reentrant locks. A fork copies locks that other threads hold at that moment, and those threads
are not there in the child to release them: hence new ones there, as `logging` does it too.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakSet


class ForkSafe:
    """Base of everything that has a lock.

    What stands between `with self._lock:` and its end may be entered once more by the same thread
    wherever an object is made; it must leave things in order even so.
    """

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _everyone.add(self)

    def after_fork(self) -> None:
        """Be usable in a child process, whatever other threads were doing in its parent."""
        self._lock = threading.RLock()


_everyone: WeakSet[ForkSafe] = WeakSet()


def _renew() -> None:
    for one in list(_everyone):
        one.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew)
