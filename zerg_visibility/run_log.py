"""Where the records of one commis, or of one root run of a concierge, go and are added up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zerg_visibility.call_history import CallHistory
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.records.calls import LLMCallRecord
from zerg_visibility.records.codec import AnyRecord, Record, flat_line
from zerg_visibility.records.runs import CommisRunRecord, ConciergeRunRecord
from zerg_visibility.redaction import Redact
from zerg_visibility.store import layout
from zerg_visibility.store.appending import AppendFile
from zerg_visibility.store.metadata import CommisTotals, RunningTotals
from zerg_visibility.store.outputs import OutputNumbers

MAX_REPLAYED_REMEMBERED = 4096
"""Latest records of an earlier segment that are recognised; those in flight when it was read."""


class RunLog(ForkSafe):
    """The growing files of one commis or concierge, and what follows from their records.

    Safe to use from several threads.

    Args:
        store: The store in which the files lie.
        redact: Applied to texts before they are stored; never raises.
    """

    def __init__(self, store: CommisStore, redact: Redact) -> None:
        super().__init__()
        self.redact = redact
        self.dropped = 0
        self.reopen: Callable[[], None] | None = None
        """Called before a record is written while there is no folder yet; may call `open`."""
        self._store = store
        self._metrics: AppendFile | None = None
        self._started: AppendFile | None = None
        self._folder: Path | None = None
        self.stores_inputs = True
        """Whether started.jsonl holds what tools were called with."""
        self.output_numbers: OutputNumbers | None = None
        """Numbers for tool outputs; None if they are not stored, or there is no directory yet."""
        self._totals = RunningTotals()
        self.history = CallHistory()
        """How often calls were made before."""
        self._had_success = False
        self._replayed: frozenset[str | None] = frozenset()

    def open(
        self, folder: Path, *, starts: bool = False, outputs: OutputNumbers | None = None
    ) -> None:
        """Say in which folder to write; before that, records count as dropped."""
        if starts:
            self._started = self._store.append_file(folder / layout.STARTED)
        self._folder = folder
        self.output_numbers = outputs
        self._metrics = self._store.append_file(folder / layout.METRICS)

    def replay(self, records: Sequence[Record]) -> None:
        """Take in what an earlier segment wrote, so that totals and phases go on from there."""
        with self._lock:
            for record in records:
                self._take(record)
            self._replayed = frozenset(
                record.span_id for record in records[-MAX_REPLAYED_REMEMBERED:]
            )

    def replay_late(self, record: Record) -> None:
        """Take in what an earlier segment wrote after it had ended, unless `replay` saw it."""
        with self._lock:
            if record.span_id not in self._replayed:
                self._take(record)

    @property
    def totals(self) -> CommisTotals:
        """The sums over all records so far, written or not.

        Takes no lock, since who asks holds one: in ours, the garbage collector may end a stream
        that waits for that. What is half added up is saved once more when it is there.
        """
        return self._totals.snapshot()

    def start(self, line: dict[str, Any]) -> None:
        """Note that a call has begun; the line is as `CallStarted.to_dict` gives it."""
        if self._started is not None:
            self._started.append(flat_line(line))

    def add(self, record: AnyRecord) -> None:
        """Write one record and add it up.

        Raises:
            OSError: It could not be written; it is counted as dropped.
        """
        if not isinstance(record, ConciergeRunRecord):
            with self._lock:
                self._take(record)
        try:
            reopen = self.reopen  # another thread may take it away once it is done
            if self._metrics is None and reopen is not None:
                reopen()
            if self._metrics is None:
                raise FileNotFoundError("the directory of this commis could not be created")
            self._metrics.append(flat_line(record.to_dict()))
        except BaseException:
            self.count_dropped()
            raise

    def count_dropped(self, count: int = 1) -> None:
        """Count records that were lost, some before there was one to write."""
        with self._lock:
            self.dropped += count

    @property
    def stores_outputs(self) -> bool:
        """Whether tool outputs are kept, and there is a directory for them."""
        return self.output_numbers is not None

    def store_output(self, tool: str, text: str) -> tuple[str, int] | None:
        """Store what a tool answered, numbered in order of completion; give name and size.

        Raises:
            OSError: It could not be written.
        """
        numbers = self.output_numbers
        if numbers is None or self._folder is None:
            return None
        data = text.encode("utf-8", "replace")
        while True:
            name = layout.tool_output_name(numbers.draw(), tool)
            try:
                self._store.write_file(self._folder / name, data)
            except FileExistsError:
                continue
            return name, len(data)

    def phase(self, hint: str | None, *, success: bool, asks_for_tools: bool) -> str | None:
        """Name the phase of an LLM call that has just ended; a name that the user gave wins."""
        with self._lock:
            # Of two that succeed at once, one is the first.
            is_initial = not self._had_success
            self._had_success = self._had_success or success
        if hint is not None:
            return hint
        if is_initial:
            return "initial"
        if not success:
            return None
        return "tool_decision" if asks_for_tools else "synthesis"

    def close(self) -> None:
        """Close the files; a late record opens them again."""
        if self._metrics is not None:
            self._metrics.close()
        if self._started is not None:
            self._started.close()

    def _take(self, record: Record) -> None:
        if isinstance(record, CommisRunRecord):
            return
        self._totals.add(record)
        if isinstance(record, LLMCallRecord):
            self._had_success = self._had_success or record.success
        elif record.tool_call_id is not None:
            self.history.note_tool(record.tool_call_id)
