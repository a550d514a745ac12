"""The owner of background threads: bounded, never in the way, alive again after a fork."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import partial

import pytest

from tests.processes import python
from zerg_visibility.background import QUEUE_MAX, Worker
from zerg_visibility.diagnostics import Diagnostics


@pytest.fixture
def diagnostics() -> Diagnostics:
    return Diagnostics(logging.getLogger("zerg_visibility.background"))


@pytest.fixture
def worker(diagnostics):
    worker = Worker(diagnostics)
    yield worker
    assert worker.close(30)


@pytest.fixture
def hung(worker):
    """A lane in which nothing goes on before the test is over."""
    entered, released = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert released.wait(60)

    worker.submit("hung", hang)
    assert entered.wait(30)
    yield "hung"
    released.set()


def named(lane: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == lane]


def test_tasks_of_one_lane_are_done_in_order_on_one_daemon_thread(worker):
    done = []
    for number in range(100):
        last = worker.submit("lane", lambda n=number: done.append((n, threading.current_thread())))
    assert last.wait(30)
    assert [number for number, _ in done] == list(range(100))
    [thread] = {thread for _, thread in done}
    assert (thread.daemon, thread.name) == (True, "lane")


def test_no_thread_is_started_before_it_is_needed_and_closing_ends_it(diagnostics):
    worker = Worker(diagnostics)
    assert worker.close(0.0) is True
    assert named("needed") == []
    assert worker.submit("needed", bool).wait(30)
    assert len(named("needed")) == 1
    assert worker.close(30) is True
    assert named("needed") == []


def test_a_closed_worker_goes_on_when_it_is_used_again(worker):
    assert worker.submit("lane", bool).wait(30)
    assert worker.close(30)
    assert worker.submit("lane", bool).wait(30)


def test_closing_waits_for_what_is_queued(worker):
    done = []
    for number in range(50):
        worker.submit("lane", partial(done.append, number))
    assert worker.close(30) is True
    assert done == list(range(50))


def test_a_task_that_closes_its_own_worker_does_not_wait_for_itself(worker):
    told = []
    assert worker.submit("lane", lambda: told.append(worker.close(30))).wait(30)
    assert told == [False]


def test_a_lane_that_hangs_holds_up_no_other_and_closing_costs_its_time_and_no_more(worker, hung):
    assert worker.submit("other", bool).wait(30)
    waiting = worker.submit(hung, bool)
    began = time.monotonic()
    assert worker.close(0.05) is False
    assert time.monotonic() - began < 5
    assert not waiting.is_set()
    assert named("other") == []


def test_a_full_lane_drops_what_comes_and_counts_it(worker, hung, diagnostics, caplog):
    accepted = [worker.submit(hung, bool) for _ in range(QUEUE_MAX)]
    dropped = [worker.submit(hung, bool) for _ in range(3)]
    assert not any(done.is_set() for done in accepted + dropped)
    assert (worker.dropped, diagnostics.failures) == (3, 3)
    assert "1,000 tasks wait already" in caplog.messages[0]


def test_a_task_that_raises_is_counted_and_the_lane_goes_on(worker, diagnostics):
    def fail() -> None:
        raise SystemExit("not here")

    assert worker.submit("lane", fail).wait(30)
    assert worker.submit("lane", bool).wait(30)
    assert (worker.dropped, diagnostics.failures) == (0, 1)


def test_submitting_does_not_raise_where_no_thread_can_be_started(worker, diagnostics, monkeypatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert not worker.submit("lane", bool).is_set()
    assert (worker.dropped, diagnostics.failures) == (1, 1)
    assert worker.submit("lane", bool).wait(30)


def test_an_idle_thread_ends_by_itself(worker, monkeypatch):
    monkeypatch.setattr("zerg_visibility.background.IDLE_S", 0.01)
    assert worker.submit("idle", bool).wait(30)
    for thread in named("idle"):
        thread.join(30)
    assert named("idle") == []
    assert worker.submit("idle", bool).wait(30)


def test_threads_that_submit_at_once_start_one_thread_and_lose_nothing(worker):
    done, barrier = [], threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for number in range(50):
            worker.submit("lane", lambda n=number: done.append(threading.get_ident()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worker.submit("lane", bool).wait(30)
    assert (len(done), len(set(done)), worker.dropped) == (400, 1, 0)


FORKED = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks with threads
import os, sys, threading
from zerg_visibility.background import Worker
from zerg_visibility.diagnostics import Diagnostics

worker, entered, released = Worker(Diagnostics()), threading.Event(), threading.Event()
done = []

def hang():
    entered.set()
    released.wait(60)

worker.submit("lane", hang)
entered.wait(60)
inherited = worker.submit("lane", lambda: done.append("the parent's"))
child = os.fork()
if not child:
    worker.submit("lane", lambda: done.append("the child's")).wait(60)
    print(done, inherited.is_set(), worker.close(60), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
released.set()
print(worker.close(60), done)
"""

FORKED_IN_A_TASK = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks with threads
import os
from zerg_visibility.background import Worker
from zerg_visibility.diagnostics import Diagnostics

worker, done = Worker(Diagnostics()), []

def fork():
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    else:
        done.append("in the child")

worker.submit("lane", fork)
worker.submit("lane", lambda: print("after", done, flush=True)).wait(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="does not fork")
def test_a_forked_child_drops_its_parents_queue_and_works_on():
    assert python(FORKED).splitlines() == ['["the child\'s"] False True', 'True ["the parent\'s"]']


@pytest.mark.skipif(not hasattr(os, "fork"), reason="does not fork")
def test_a_task_that_forks_does_not_go_on_with_the_queue_in_the_child():
    assert python(FORKED_IN_A_TASK) == "after []\n"
