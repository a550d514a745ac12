"""Where the records of one commis, or of one root run of a concierge, go and are added up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
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
from zerg_visibility.store.ids import highest_output
from zerg_visibility.store.metadata import CommisTotals, RunningTotals


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
        self.stores_starts = True
        """Whether started.jsonl tells what has begun."""
        self.stores_inputs = True
        """Whether it tells what tools were asked, too."""
        self.stores_outputs = False
        """Whether the answers of tools are kept."""
        self._store = store
        self._metrics: AppendFile | None = None
        self._started: AppendFile | None = None
        self._folder: Path | None = None
        self._output_numbers = itertools.count(1)
        self._totals = RunningTotals()
        self.history = CallHistory()
        """How often calls were made before."""
        self._had_success = False

    def open(self, folder: Path) -> None:
        """Say in which folder to write, whether or not it is there yet."""
        self._folder = folder
        self._started = self._store.append_file(folder / layout.STARTED)
        self._metrics = self._store.append_file(folder / layout.METRICS)

    @property
    def is_open(self) -> bool:
        """Whether there is a folder to write in."""
        return self._metrics is not None

    def make_folder(self) -> None:
        """Called while there is no folder, before a record is written; may call `open`."""

    def replay(self, records: Iterable[Record]) -> None:
        """Begin again with the records that the files hold, written by whomever; locked inside."""
        with self._lock:
            self._totals, self.history, self._had_success = RunningTotals(), CallHistory(), False
            for record in records:
                self._take(record)
            if self._folder is not None:
                highest = highest_output(self._folder / layout.TOOL_CALLS)
                self._output_numbers = itertools.count(highest + 1)

    @property
    def totals(self) -> CommisTotals:
        """The sums over all records so far, written or not.

        Takes no lock. What is half added up is saved once more when it is there.
        """
        return self._totals.snapshot()

    def start(self, line: dict[str, Any]) -> None:
        """Note that something has begun; the line is as `CallStarted.to_dict` gives it."""
        if self._started is not None and self.stores_starts:
            self._started.append(flat_line(line))

    def add(self, record: AnyRecord) -> None:
        """Write one record and add it up.

        Raises:
            OSError: It could not be written; it is counted as dropped.
        """
        if self._metrics is None:
            self.make_folder()
        try:
            # In one lock, so that whoever reads the file again counts each record once.
            with self._lock:
                if not isinstance(record, ConciergeRunRecord):
                    self._take(record)
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

    def store_output(self, tool: str, text: str) -> tuple[str, int] | None:
        """Store what a tool answered, numbered in order of completion; give name and size.

        Raises:
            OSError: It could not be written.
        """
        if not self.stores_outputs or self._folder is None:
            return None
        data = text.encode("utf-8", "replace")
        while True:
            name = layout.tool_output_name(next(self._output_numbers), tool)
            try:
                self._store.write_file(f"{self._folder}/{name}", data)
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
