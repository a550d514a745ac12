"""The seam for everything that takes records somewhere."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from zerg_visibility.records.codec import AnyRecord


@runtime_checkable
class Sink(Protocol):
    """Takes finished records somewhere; any object with these three methods will do.

    `emit` is called in the middle of the graph's work, from several threads at once: it has to be
    quick, and must hand anything that can block to a thread of its own. What it raises is counted
    and logged, and reaches neither the graph nor the other sinks.
    """

    def emit(self, record: AnyRecord) -> None:
        """Take one record."""

    def flush(self, timeout_s: float) -> bool:
        """Hand over what is buffered; say whether that was done within the time."""

    def close(self) -> None:
        """Release what is held; may be called more than once."""
