"""The columns of a record: one declaration from which files, sums, log lines and tables follow.

A record class lists its fields in the order of its JSON. `start_us` and `end_us` stand there for
what is written of them: `start_ts`, and `end_ts` with `duration_ms`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

from zerg_visibility.schema import checkable, json_type

T = TypeVar("T")
_WRITTEN = {"start_us": ["start_ts"], "end_us": ["end_ts", "duration_ms"]}
_COMPUTED: dict[str, type] = {"event": str, "start_ts": str, "end_ts": str, "duration_ms": int}


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One field of a record's JSON.

    Args:
        name: Of the field.
        type: What JSON holds there if it is not left out: str, int, float, bool or dict.
        total: Whether it makes sense to add it up over calls.
    """

    name: str
    type: type
    total: bool = False


def column(*, default: T, total: bool = False, hidden: bool = False) -> T:
    """Declare a field that is added up in totals, or that is hidden: left out of the JSON."""
    found: T = dataclasses.field(default=default, metadata={"total": total, "hidden": hidden})
    return found


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(column, dataclasses.field)
)
def record(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a record class, and work out its columns.

    It is made in a quarter of the time that a generated `__init__` takes: what is given becomes
    the instance's dictionary as it is, and for the rest the class answers with its defaults.
    """
    made: Any = dataclasses.dataclass(frozen=True, kw_only=True, repr=False, init=False)(cls)
    checkable()(made)
    known = {field.name: field for field in dataclasses.fields(made)}
    found = [] if "event" in known else [Column("event", str)]
    for field in known.values():
        for name in () if field.metadata.get("hidden") else _WRITTEN.get(field.name, [field.name]):
            kind = _COMPUTED.get(name) or json_type(str(field.type))
            found.append(Column(name, kind, field.metadata.get("total", False)))
    made.to_dict = _to_dict([one.name for one in found])
    made._columns = tuple(found)
    made._known = frozenset(known)
    made._required = {name for name in known if known[name].default is dataclasses.MISSING}
    return cls


def columns(cls: type[Columned]) -> tuple[Column, ...]:
    """Give the columns of a record class such as LLMCallRecord, in the order of its JSON."""
    return cls._columns


def totals(cls: type[Columned]) -> tuple[str, ...]:
    """Name the columns of a record class that are added up."""
    return tuple(one.name for one in cls._columns if one.total)


def _to_dict(names: list[str]) -> Callable[[Any], dict[str, Any]]:
    """Write the method in full, as dataclasses do theirs: a loop takes three times as long."""
    steps = [
        f"    if (value := self.{name}) is not None: found[{name!r}] = value" for name in names
    ]
    source = "\n".join(["def to_dict(self):", "    found = {}", *steps, "    return found"])
    made: dict[str, Any] = {}
    exec(source, {}, made)  # noqa: S102 - of our own names
    return made["to_dict"]  # type: ignore[no-any-return]


class Columned:
    """Base of what `record` decorates."""

    _columns: ClassVar[tuple[Column, ...]]
    _known: ClassVar[frozenset[str]]
    _required: ClassVar[set[str]]

    def __init__(self, **values: Any) -> None:
        if not self._required <= values.keys() <= self._known:
            wrong = self._required - values.keys() or values.keys() - self._known
            raise TypeError(f"{type(self).__name__} lacks, or does not know, {sorted(wrong)}")
        object.__setattr__(self, "__dict__", values)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object, in the documented order, without empty fields."""
        raise NotImplementedError  # `record` writes it
