"""Worker: the owner of every background thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeAlias

from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe

QUEUE_MAX = 1_000
"""Tasks that may wait in one lane; more are dropped, and counted."""

IDLE_S = 5.0
"""A thread that has had nothing to do for so long ends; the next task starts another."""

_Queue: TypeAlias = "SimpleQueue[tuple[Callable[[], object], threading.Event] | None]"


class Worker(ForkSafe):
    """Does in the background what can block: each lane is a daemon thread with a queue of its own.

    So a task that hangs holds up its own lane alone. Nothing is started before it is needed, and
    a forked child begins without its parent's threads and queues.

    Args:
        diagnostics: Counts and logs what tasks raise, and tasks that are dropped.
    """

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__()
        self._diagnostics = diagnostics
        self._lanes: dict[str, tuple[_Queue, threading.Thread]] = {}
        self.dropped = 0
        """Tasks that were never done, since too many waited or no thread could be started."""

    def submit(self, lane: str, task: Callable[[], object]) -> threading.Event:
        """Have a task done after those that wait in its lane; never blocks, never raises.

        Returns:
            Set once the task has been done; never, if it was dropped.
        """
        done = threading.Event()
        try:
            with self._lock:
                queue = self._queue(lane)
                if queue.qsize() >= QUEUE_MAX:
                    raise BufferError(f"{QUEUE_MAX:,} tasks wait already")
                queue.put((task, done))
        except Exception as error:  # a process at its limit of threads can start no more
            with self._lock:
                self.dropped += 1
            self._diagnostics.note(f"do in the background: {lane}", error)
        return done

    def close(self, timeout_s: float) -> bool:
        """Let the threads end once their lanes are empty; a later task starts them again.

        Returns:
            Whether all ended within the time; the others are left to the end of the program.
        """
        deadline = time.monotonic() + timeout_s
        with self._lock:
            lanes = list(self._lanes.values())
        for queue, _ in lanes:
            queue.put(None)
        for _, thread in lanes:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for _, thread in lanes)

    def after_fork(self) -> None:
        """Begin anew in a child process, where none of the threads is left."""
        super().after_fork()
        self._lanes = {}

    def _queue(self, lane: str) -> _Queue:
        known = self._lanes.get(lane)
        if known is None:
            queue: _Queue = SimpleQueue()
            thread = threading.Thread(target=self._run, args=(lane, queue), name=lane, daemon=True)
            # The garbage collector may have come in between, with a task of its own.
            known = self._lanes.setdefault(lane, (queue, thread))
            if known[1] is thread:
                try:
                    thread.start()
                except BaseException:
                    del self._lanes[lane]
                    raise
        return known[0]

    def _run(self, lane: str, queue: _Queue) -> None:
        while True:
            try:
                waiting = queue.get(timeout=IDLE_S)
            except Empty:
                if not threading.main_thread().is_alive():
                    continue  # the program ends, when Python starts no new threads
                waiting = None
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
