"""Tier 2: one record, one line of metrics.jsonl."""

from __future__ import annotations

from zerg_visibility.records import Record, flat_line
from zerg_visibility.store.appending import AppendFile


class JsonlSink:
    """Appends records to one metrics.jsonl, in the moment they are emitted.

    Nothing is buffered, so there is nothing to lose: a line is in the file when `emit` returns.

    Args:
        file: The metrics.jsonl of one commis or of one root run of a concierge.
    """

    def __init__(self, file: AppendFile) -> None:
        self._file = file

    def emit(self, record: Record) -> None:
        """Write one line.

        Raises:
            OSError: It could not be written.
        """
        self._file.append(flat_line(record.to_dict()))

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Do nothing: every line is already written."""
        return True

    def close(self) -> None:
        """Close the file; a late record opens it again."""
        self._file.close()
