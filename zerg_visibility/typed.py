"""Checking loaded JSON against the fields of a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, cast

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "CommisStatus": (str,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "bool | None": (bool, type(None)),
    "float | None": (float, int, type(None)),
}
"""What JSON may hold for a field of each annotation that our records use."""


def checked_fields(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the known plain fields of a loaded object, and see that each has its type.

    Args:
        cls: A dataclass whose module uses postponed annotations.
        data: The loaded object; unknown names in it are left out.

    Raises:
        TypeError: A value has not the type of its field.
    """
    values: dict[str, Any] = {}
    for name, kinds in _plain_fields(cast("Hashable", cls)):
        if name not in data:
            continue
        value = data[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(f"{name} has the type {type(value).__name__}")
        values[name] = value
    return values


@cache
def _plain_fields(cls: Hashable) -> tuple[tuple[str, tuple[type, ...]], ...]:
    fields = dataclasses.fields(cast("Any", cls))
    known = [(field.name, _KINDS.get(str(field.type))) for field in fields]
    return tuple((name, kinds) for name, kinds in known if kinds is not None)
