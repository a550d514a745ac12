"""Worker: the owner of every background thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias

from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe

QUEUE_MAX = 1_000
"""Tasks that may wait in one lane; more are dropped."""

IDLE_S = 5.0
"""A thread without work ends after so long; the next task starts another."""

_Queue: TypeAlias = "SimpleQueue[tuple[Callable[[], object], threading.Event] | None]"


class Worker(ForkSafe):
    """Does in the background what can block, each lane on a daemon thread with its own queue.

    A task that hangs holds up its lane alone. A forked child begins anew. What tasks raise, and
    tasks that are dropped, are counted by the diagnostics.
    """

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__()
        self._diagnostics = diagnostics
        self._lanes: dict[str, tuple[_Queue, threading.Thread]] = {}
        self.dropped = 0

    def submit(self, lane: str, task: Callable[[], object]) -> threading.Event:
        """Have a task done; never blocks, never raises. What it gives is set once that is done."""
        done = threading.Event()
        try:
            with self._lock:
                if lane not in self._lanes:
                    mine: _Queue = SimpleQueue()
                    run = partial(self._run, lane, mine)
                    thread = threading.Thread(target=run, name=lane, daemon=True)
                    thread.start()
                    # The garbage collector may have come in between, with a task of its own.
                    self._lanes.setdefault(lane, (mine, thread))
                queue, _ = self._lanes[lane]
                if queue.qsize() >= QUEUE_MAX:
                    raise BufferError(f"{QUEUE_MAX:,} tasks wait already")
                queue.put((task, done))
        except Exception as error:  # a process at its limit of threads can start no more
            with self._lock:
                self.dropped += 1
            self._diagnostics.note(f"do in the background: {lane}", error)
        return done

    def close(self, timeout_s: float) -> bool:
        """Let all waiting tasks be done, and the threads end; say whether they did in time."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            lanes = list(self._lanes.values())
        for queue, _ in lanes:
            queue.put(None)
        for _, thread in lanes:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for _, thread in lanes)

    def after_fork(self) -> None:
        """Drop the parent's queues; none of their threads is left here."""
        super().after_fork()
        self._lanes = {}

    def _run(self, lane: str, queue: _Queue) -> None:
        while True:
            try:
                waiting = queue.get(timeout=IDLE_S)
            except Empty:
                waiting = None
                if not threading.main_thread().is_alive():
                    continue  # the program ends, and Python may start no thread any more
            if waiting is not None:
                task, done = waiting
                try:
                    task()
                except BaseException as error:  # nobody is above to raise it to
                    self._diagnostics.note(f"do in the background: {lane}", error)
                done.set()
            with self._lock:
                if self._lanes.get(lane, (None,))[0] is not queue:
                    return  # the task forked: this is the child, and the queue is its parent's
                if waiting is None and queue.empty():
                    del self._lanes[lane]
                    return
