"""Objects of which there is one for each name in this process."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from zerg_visibility.forksafe import ForkSafe

ValueT = TypeVar("ValueT")


class Shared(ForkSafe, Generic[ValueT]):
    """One object for each key, for as long as anybody refers to it."""

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
