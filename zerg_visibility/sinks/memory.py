"""Records kept in memory, for tests and notebooks."""

from __future__ import annotations

from collections import deque

from zerg_visibility.records.codec import AnyRecord


class MemorySink:
    """Keeps the latest records in a list.

    Args:
        limit: The most records to keep; beyond it the oldest go, and are counted.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._records: deque[AnyRecord] = deque(maxlen=limit)
        self.dropped = 0

    @property
    def records(self) -> list[AnyRecord]:
        """The records kept, oldest first."""
        return list(self._records)

    def emit(self, record: AnyRecord) -> None:
        """Keep one record."""
        if len(self._records) == self._records.maxlen:
            self.dropped += 1
        self._records.append(record)

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Do nothing: there is nowhere to hand records to."""
        return True

    def close(self) -> None:
        """Do nothing; what was kept stays readable."""
