"""What could take one of our locks twice: the garbage collector, and a fork."""

from __future__ import annotations

from tests.processes import python

COLLECTED = """
import faulthandler, gc, itertools, posix, sys, time
from tests.scripted import calculator
from zerg_visibility import *

time.monotonic = itertools.count().__next__  # so much passes that files are looked at each time
faulthandler.dump_traceback_later(50, exit=True)
gc.disable()
configure_logging(sys.argv[1] + "/backend.log")
inputs = {"messages": [("user", "Calculate 7*6")]}

class Response:
    "What a server makes of a request: it knows its stream, and is known by it."

def abandon(node, config):
    response = Response()
    response.itself = response
    response.stream = node.stream(inputs, config)
    next(response.stream)

def collect_in(operation):
    store = CommisStore(sys.argv[1] + "/" + operation)
    handler = VisibilityCallbackHandler(store)
    config, node = {"callbacks": [handler]}, create_commis_node(calculator(), store=store)
    real, collected, calls_until = getattr(posix, operation), [], 0

    def collecting(*args, **kwargs):
        nonlocal calls_until
        calls_until -= 1
        if calls_until == 0:
            collected.append(gc.collect())
        return real(*args, **kwargs)

    setattr(posix, operation, collecting)
    for number in range(20):
        abandon(node, config)
        calls_until = 1 + number % 3  # another place each time
        node.invoke(inputs, config)
        calls_until = 0
    gc.collect()
    setattr(posix, operation, real)
    statuses = sorted(one.status for one in store.recent())
    print(operation, statuses.count("success"), statuses.count("cancelled"), len(statuses),
          len(collected) > 0, handler.open_runs, handler.stats.failures)

for operation in sys.argv[2:]:
    collect_in(operation)
"""


def test_abandoned_streams_are_collected_in_the_middle_of_our_own_work(tmp_path):
    operations = ("open", "write", "stat", "fstat", "mkdir", "replace")
    assert python(COLLECTED, tmp_path, *operations).splitlines() == [
        f"{operation} 20 20 40 True 0 0" for operation in operations
    ]


FORKED = """
import os, posix, signal, sys, threading
from tests.scripted import calculator
from zerg_visibility import *

store = CommisStore(sys.argv[1] + "/data")
configure_logging(sys.argv[1] + "/backend.log")
handler = VisibilityCallbackHandler(store)
node = create_commis_node(calculator(), store=store)
inputs = {"messages": [("user", "Calculate 7*6")]}
config = {"callbacks": [handler]}
node.invoke(inputs, config)

real, in_the_middle, go_on = posix.write, threading.Event(), threading.Event()

def held_up(fd, data):
    if b"tool_call_complete" in data:  # the log's line, so the log file is locked
        in_the_middle.set()
        go_on.wait()
    return real(fd, data)

posix.write = held_up
thread = threading.Thread(target=node.invoke, args=(inputs, config))
thread.start()
in_the_middle.wait()
child = os.fork()
posix.write = real
if child == 0:
    signal.alarm(20)
    node.invoke(inputs, config)
    os._exit(handler.stats.failures)
go_on.set()
thread.join()
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), *[one.status for one in store.recent()])
"""


def test_a_process_is_forked_while_a_thread_writes(tmp_path):
    assert python(FORKED, tmp_path) == "0 success success success\n"
