"""The columns of a record: one declaration from which files, sums, log lines and tables follow.

A record class lists its fields in the order of its JSON. `start_us` and `end_us` stand there for
what is written of them: `start_ts`, and `end_ts` with `duration_ms`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

from zerg_visibility.clock import format_us
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

    Its `__init__` puts what has a value straight into the form of its JSON, which is the instance's
    dictionary; for the rest the class answers with its defaults.
    """
    made: Any = dataclasses.dataclass(frozen=True, kw_only=True, repr=False, init=False)(cls)
    checkable()(made)
    fields = dataclasses.fields(made)
    found = [] if fields[0].name == "event" else [Column("event", str)]
    hidden = frozenset(field.name for field in fields if field.metadata.get("hidden"))
    for field in fields:
        for name in () if field.name in hidden else _WRITTEN.get(field.name, [field.name]):
            kind = _COMPUTED.get(name) or json_type(str(field.type))
            found.append(Column(name, kind, field.metadata.get("total", False)))
    made.__init__ = _init(made, fields)
    made._columns = tuple(found)
    made._hidden = hidden
    return cls


def columns(cls: type[Columned]) -> tuple[Column, ...]:
    """Give the columns of a record class such as LLMCallRecord, in the order of its JSON."""
    return cls._columns


def totals(cls: type[Columned]) -> tuple[str, ...]:
    """Name the columns of a record class that are added up."""
    return tuple(one.name for one in cls._columns if one.total)


def _init(cls: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """Write the method in full, as dataclasses do theirs: a loop takes three times as long."""
    given, steps = [], []
    for field in fields:
        name = field.name
        needed = field.default is dataclasses.MISSING
        given.append(name if needed else f"{name}={field.default!r}")
        if name in _WRITTEN:
            steps += [f"json['{name[:-3]}_ts'] = format_us({name})", f"set_{name}(self, {name})"]
        else:
            steps.append(f"if {name} is not None: json[{name!r}] = {name}")
        if name == "end_us":
            steps.append("json['duration_ms'] = (end_us - start_us) // 1000")
    event = {} if fields[0].name == "event" else {"event": cls.event}
    source = [f"def __init__(self, *, {', '.join(given)}):", f"json = {event}", *steps, _SET_DICT]
    made: dict[str, Any] = {}
    names = {"format_us": format_us, "set_dict": object.__setattr__}
    names |= {f"set_{name}": getattr(Columned, name).__set__ for name in _WRITTEN}
    exec("\n    ".join(source), names, made)  # noqa: S102 - of our own names
    return made["__init__"]  # type: ignore[no-any-return]


_SET_DICT = "set_dict(self, '__dict__', json)"


class Columned:
    """Base of what `record` decorates."""

    __slots__ = ("end_us", "start_us")  # apart from what is written of them

    _columns: ClassVar[tuple[Column, ...]]
    _hidden: ClassVar[frozenset[str]]

    def __reduce__(self) -> tuple[Any, ...]:
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return _remake, (type(self), given)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object, in the documented order, without empty fields."""
        found = self.__dict__.copy()
        for name in self._hidden:
            found.pop(name, None)
        return found


def _remake(cls: type[Any], given: dict[str, Any]) -> Any:
    return cls(**given)
