"""One record to many sinks, none of which can harm the others or the graph."""

from __future__ import annotations

import time
from collections.abc import Iterable

from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.records.codec import AnyRecord
from zerg_visibility.sinks.base import Sink


class FanoutSink:
    """Passes each record to every sink, and catches what any of them raises.

    Args:
        sinks: Where records go, in this order.
        diagnostics: Counts and logs what a sink raises.
    """

    def __init__(self, sinks: Iterable[Sink], diagnostics: Diagnostics) -> None:
        self.sinks = tuple(sinks)
        self._diagnostics = diagnostics

    def emit(self, record: AnyRecord) -> None:
        """Pass one record on."""
        for sink in self.sinks:
            try:
                sink.emit(record)
            except Exception as error:
                self._diagnostics.note(f"hand a {record.event} to {type(sink).__name__}", error)

    def flush(self, timeout_s: float) -> bool:
        """Flush all sinks within one shared time; say whether all of them managed."""
        deadline = time.monotonic() + timeout_s
        done = True
        for sink in self.sinks:
            try:
                done = sink.flush(max(0.0, deadline - time.monotonic())) and done
            except Exception as error:
                self._diagnostics.note(f"flush {type(sink).__name__}", error)
                done = False
        return done

    def close(self) -> None:
        """Close all sinks."""
        for sink in self.sinks:
            try:
                sink.close()
            except Exception as error:
                self._diagnostics.note(f"close {type(sink).__name__}", error)
