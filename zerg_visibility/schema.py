"""Checking loaded JSON against the fields of a dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "CommisStatus": (str,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "bool | None": (bool, type(None)),
    "float | None": (float, int, type(None)),
    "Mapping[str, str] | None": (dict, type(None)),
}
"""What JSON may hold for a field of each annotation that our records use."""

_fields: dict[type[Any], tuple[tuple[str, tuple[type, ...]], ...]] = {}

ClassT = TypeVar("ClassT", bound=type[Any])


def json_type(annotation: str) -> type:
    """Give the type that JSON has for a field of this annotation, None apart."""
    return next(kind for kind in _KINDS[annotation] if kind is not type(None))


def checkable(*, apart: Collection[str] = ()) -> Callable[[ClassT], ClassT]:
    """Let a dataclass be read from JSON, for which each of its fields must be one we can check.

    Args:
        apart: Fields that its own `from_dict` reads in another way.

    Raises:
        TypeError: A field has an annotation that says nothing here. It is raised when the module
            is imported: later, what stands in files would be lost without a word.
    """

    def register(cls: ClassT) -> ClassT:
        found = {field.name: str(field.type) for field in dataclasses.fields(cls)}
        plain = {name: kind for name, kind in found.items() if name not in apart}
        unknown = [f"{name}: {kind}" for name, kind in plain.items() if kind not in _KINDS]
        if unknown:
            raise TypeError(f"{cls.__name__} cannot be checked: {', '.join(unknown)}")
        _fields[cls] = tuple((name, _KINDS[kind]) for name, kind in plain.items())
        return cls

    return register


def checked_fields(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the known plain fields of a loaded object, and see that each has its type.

    Args:
        cls: A dataclass that is `checkable`.
        data: The loaded object; unknown names in it are left out.

    Raises:
        TypeError: A value has not the type of its field.
    """
    values: dict[str, Any] = {}
    for name, kinds in _fields[cls]:
        if name not in data:
            continue
        value = data[name]
        if type(value) not in kinds:  # exactly, since True is an int as well
            raise TypeError(f"{name} has the type {type(value).__name__}")
        values[name] = value
    return values
