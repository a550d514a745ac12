"""Any value as what JSON can hold, at a cost that no value can drive up.

States and tool outputs hold what their authors put there: objects that point at each other, numbers
of other libraries, things that have no text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

NODES_MAX = 500_000
"""Values that are written out at most, where there is anything that is not plain JSON as it is."""

AGAIN_MAX = 2_000_000
"""Values of plain JSON that are written out more than once at most; the first time is free."""

DEPTH_MAX = 100
"""How deep values may lie inside of each other."""

CUT = "..."
"""Stands for what lies beyond these limits."""

CYCLE = "<cycle>"
"""Stands for a value inside of itself."""

_LEAVES = frozenset({str, int, float, bool, type(None)})


def is_soon_written(data: Any) -> bool:
    """Say whether writing this as JSON takes no longer than it is big.

    Lists of which each holds the one before it twice are a thousand after ten, and after forty they
    never end; nor do people who all know each other.
    """
    # Most arguments and outputs of tools are flat.
    if type(data) is dict and _LEAVES.issuperset(map(type, data.values())):
        return True
    seen: set[int] = set()
    todo, again = [data], 0
    try:
        while todo and again <= AGAIN_MAX:
            value = todo.pop()
            inner = _native_items(value)
            if id(value) in seen:
                again += 1 + len(inner)
            seen.add(id(value))
            todo += [item for item in inner if type(item) not in _LEAVES]
    except Exception:  # a foreign object that raises when it is looked at
        return False
    return again <= AGAIN_MAX


def _native_items(value: Any) -> Collection[Any]:
    """Give what lies inside of a value, if it is one that orjson looks into."""
    if isinstance(value, dict):
        return dict.values(value)
    if isinstance(value, list):
        return list.copy(value)
    if isinstance(value, tuple):
        return value
    return [item for _, item in _fields(value)]


def plain(value: Any) -> Any:
    """Copy a value as plain JSON types; what has no form in them becomes text. Never raises."""
    return _Copy().of(value, 0)


class _Copy:
    """One copy: how much may still be copied, and what encloses the value at hand."""

    def __init__(self) -> None:
        self._left = NODES_MAX
        self._path: set[int] = set()

    def of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is float or kind is bool or value is None:
            return value
        try:
            if isinstance(value, str):
                return _storable(value)
            if isinstance(value, int):
                return value if -(2**63) <= value < 2**64 else _digits(value)
            if isinstance(value, float):
                return float.__float__(value)
            return self._of_other(value, depth)
        except Exception:  # a foreign object that raises must not cost the text it stands in
            return f"<{kind.__name__}>"

    def _of_other(self, value: Any, depth: int) -> Any:
        if id(value) in self._path:
            return CYCLE
        if depth == DEPTH_MAX:
            return CUT
        self._path.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._object(value.items(), depth)
            if isinstance(value, list | tuple | set | frozenset):
                return [self.of(item, depth + 1) for item in self._some(value, CUT)]
            dump = getattr(value, "model_dump", None)  # pydantic, without importing it
            if dump is not None:
                return self.of(dump(), depth + 1)
            if fields := list(_fields(value)):
                return self._object(fields, depth)
            return self.of(str(value), depth + 1)
        finally:
            self._path.discard(id(value))

    def _object(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        some = self._some(items, (CUT, CUT))
        return {_name(name): self.of(value, depth + 1) for name, value in some}

    def _some(self, items: Iterable[Any], cut: Any) -> Iterator[Any]:
        for item in items:
            if self._left <= 0:
                yield cut
                return
            self._left -= 1
            yield item


def _storable(text: str) -> str:
    return str.encode(text, "utf-8", "replace").decode("utf-8")


def _digits(value: int) -> str:
    # What is longer costs the square of its length in decimal digits, and Python refuses most of
    # it with a ValueError.
    return str(value) if value.bit_length() < 10_000 else hex(value)


def _name(value: Any) -> str:
    """Make a name of the key of a dictionary."""
    try:
        if isinstance(value, str):
            return _storable(value)
        return _digits(value) if isinstance(value, int) else _storable(str(value))
    except Exception:  # as for values
        return f"<{type(value).__name__}>"


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the fields of a dataclass instance, as orjson writes them; of others, none."""
    if not isinstance(value, type):
        for name in getattr(value, "__dataclass_fields__", ()):
            if not name.startswith("_") and hasattr(value, name):
                yield name, getattr(value, name)
