"""One record to many sinks, none of which can harm the others or the graph."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Literal
from weakref import WeakSet

from zerg_visibility.background import Worker
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.records.codec import AnyRecord
from zerg_visibility.sinks.base import Sink

EXIT_S = 1.0
"""The end of the program waits so long, at most, for sinks to be flushed."""


class FanoutSink:
    """Passes each record to every sink, and catches what any of them raises.

    Each sink is flushed and closed in a thread of its own: one that hangs costs its time limit,
    and the others nothing.
    """

    def __init__(self, sinks: Iterable[Sink], diagnostics: Diagnostics) -> None:
        self.sinks = tuple(sinks)
        self._diagnostics = diagnostics
        self._worker = Worker(diagnostics)

    def emit(self, record: AnyRecord) -> None:
        """Pass one record on."""
        for sink in self.sinks:
            try:
                sink.emit(record)
            except Exception as error:
                self._diagnostics.note(f"hand a {record.event} to {type(sink).__name__}", error)

    def flush(self, timeout_s: float) -> bool:
        """Flush all sinks at once; say whether all of them managed within the time."""
        return self._each(timeout_s, "flush")

    def close(self, timeout_s: float = 5.0) -> bool:
        """Flush and close all sinks at once; say whether all of them managed within the time."""
        deadline = time.monotonic() + timeout_s
        done = self._each(timeout_s, "flush", "close")
        return self._worker.close(max(0.0, deadline - time.monotonic())) and done

    def _each(self, timeout_s: float, *verbs: Literal["flush", "close"]) -> bool:
        deadline = time.monotonic() + timeout_s
        failed: list[Sink] = []

        def attempt(verb: str, sink: Sink) -> None:
            try:
                if verb == "close":
                    sink.close()
                elif not sink.flush(timeout_s):
                    failed.append(sink)
            except Exception as error:
                self._diagnostics.note(f"{verb} {type(sink).__name__}", error)
                failed.append(sink)

        waiting = [
            self._worker.submit(f"{type(sink).__name__} {number}", partial(attempt, verb, sink))
            for number, sink in enumerate(self.sinks, 1)
            for verb in verbs
        ]
        done = [event.wait(max(0.0, deadline - time.monotonic())) for event in waiting]
        return all(done) and not failed


_alive: WeakSet[FanoutSink] = WeakSet()
_latest: deque[FanoutSink] = deque(maxlen=100)


def flush_at_exit(fanout: FanoutSink) -> None:
    """See to it that sinks are flushed when the program ends, in bounded time.

    Those of the last hundred that ask for it, and of all that somebody else still holds.
    """
    _alive.add(fanout)
    _latest.append(fanout)


def _begin_exit() -> None:
    # The main thread has ended, others may go on. `atexit` comes when all have; but from Python
    # 3.12 on no thread can be started then, so the first flush is here.
    sinks = {id(sink): sink for fanout in (*_alive, *_latest) for sink in fanout.sinks}
    last = FanoutSink(sinks.values(), Diagnostics())
    last.flush(0.0)
    atexit.register(last.flush, EXIT_S)


with suppress(RuntimeError):  # it is ending already
    getattr(threading, "_register_atexit", atexit.register)(_begin_exit)
