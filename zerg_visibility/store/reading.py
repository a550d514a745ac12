"""Reading JSONL files that others may be writing, or died while writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from zerg_visibility.records.base import UnknownEventError
from zerg_visibility.records.codec import AnyRecord, Record, record_from_dict
from zerg_visibility.records.runs import ConciergeRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.artifacts import open_artifact
from zerg_visibility.words import counted

MAX_LINE_BYTES = 10_000_000
"""A longer line is counted as unreadable instead of being loaded."""

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class LinesRead(Generic[ItemT]):
    """The content of a JSONL file; iterating, `len()` and indexing go to its items.

    Args:
        items: What could be read, in the order of the file.
        unreadable: Lines that are not valid, a torn last line not among them.
        torn: Whether the last line is unfinished: somebody is writing it, or died doing so.
        problem: Why the file cannot be read at all, if it cannot.
        newer: Lines that a newer version of this package wrote; they are whole.
    """

    items: tuple[ItemT, ...]
    unreadable: int = 0
    torn: bool = False
    problem: str | None = None
    newer: int = 0

    def __iter__(self) -> Iterator[ItemT]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> ItemT:
        return self.items[index]

    def __repr__(self) -> str:
        said = "" if self.remark is None else f". {self.remark}"
        return f"<{counted(len(self.items), 'line')} read{said}>"

    @property
    def remark(self) -> str | None:
        """A sentence on what was skipped or cannot be read; None if nothing was."""
        if self.problem is not None:
            return f"{self.problem}."
        parts = []
        if self.unreadable:
            lines = "line is" if self.unreadable == 1 else "lines are"
            parts.append(f"{self.unreadable} {lines} unreadable")
        if self.torn:
            parts.append("the last line is unfinished")
        if self.newer:
            parts.append(f"{counted(self.newer, 'record')} of a newer version")
        return f"Skipped: {' and '.join(parts)}." if parts else None


def read_records(path: Path) -> LinesRead[AnyRecord]:
    """Read a metrics.jsonl; a missing file reads as empty, OSError for one that cannot be read."""
    return _read(path, record_from_dict)


def without_root_runs(read: LinesRead[AnyRecord]) -> LinesRead[Record]:
    """Leave out what is no call and no commis: the runs of a concierge as a whole."""
    items = tuple(item for item in read.items if not isinstance(item, ConciergeRunRecord))
    return LinesRead(items, read.unreadable, read.torn, read.problem, read.newer)


def read_starts(path: Path) -> LinesRead[CallStarted]:
    """Read a started.jsonl in the same way."""
    return _read(path, CallStarted.from_dict)


def read_or_say(read: Callable[[Path], LinesRead[ItemT]], path: Path) -> LinesRead[ItemT]:
    """Read a file in one of the ways above; one that cannot be read is empty, with the reason."""
    try:
        return read(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return LinesRead((), problem=f"{path.name} cannot be read ({reason})")


def _read(path: Path, parse: Callable[[dict[str, Any]], ItemT]) -> LinesRead[ItemT]:
    items: list[ItemT] = []
    unreadable = newer = 0
    torn = False
    for line in _lines(path):
        if not line.strip():
            continue
        try:
            items.append(parse(orjson.loads(line)))
        except UnknownEventError:
            newer += 1
        except (ValueError, TypeError, AttributeError):
            if line.endswith(b"\n"):
                unreadable += 1
            else:
                torn = True
    return LinesRead(tuple(items), unreadable, torn, newer=newer)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        # As for what a model names: no symbolic link is followed, and no pipe waited for.
        file = open_artifact(path.parent, path.name)
    except FileNotFoundError:
        return
    with file:
        while line := file.readline(MAX_LINE_BYTES):
            if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
                yield line
                continue
            while rest := file.readline(MAX_LINE_BYTES):
                if rest.endswith(b"\n"):
                    yield b"too long\n"
                    break
            else:
                yield b"too long"
