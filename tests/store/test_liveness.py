import os
import signal
from dataclasses import replace

import pytest

from tests.processes import python, running
from zerg_visibility import CommisStore
from zerg_visibility.store.liveness import ProcessMark, this_process

AT_WORK = """
    import sys
    from langgraph.graph import START, MessagesState, StateGraph
    from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node

    def hang(state):
        print("ready", flush=True)
        sys.stdin.readline()
        return {}

    graph = StateGraph(MessagesState).add_node("step", hang).add_edge(START, "step").compile()
    store = CommisStore(sys.argv[1])
    node = create_commis_node(graph, store=store)
    handler = VisibilityCallbackHandler(store)
    node.invoke({"messages": [("user", "Wait")]}, {"callbacks": [handler]})
"""


def test_a_commis_at_work_reads_as_running_and_a_killed_one_as_lost(tmp_path):
    store = CommisStore(tmp_path / "data")
    with running(AT_WORK, store.root) as process:
        commis_id = store.find(1)
        assert store.metadata(commis_id).status == "running"
        assert store.metadata(commis_id).pid == process.pid
        process.send_signal(signal.SIGKILL)
        # Not waited for yet: a zombie has ended all the same.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert store.metadata(commis_id).status == "lost"
    assert store.metadata(commis_id).status == "lost"
    assert [one.status for one in store.recent(status="lost")] == ["lost"]
    # Decided by the reader, never written.
    assert store.written_metadata(commis_id).status == "running"


def test_a_commis_on_another_host_stays_running(tmp_path):
    store = CommisStore(tmp_path / "data")
    with running(AT_WORK, store.root):
        commis_id = store.find(1)
    store.save_metadata(replace(store.written_metadata(commis_id), host="elsewhere"))
    assert store.metadata(commis_id).status == "running"
    newest = max(path.stat().st_mtime_ns for path in store.folder(commis_id).iterdir())
    assert store.last_sign_of_life(commis_id) == newest // 1000


def test_this_process_is_there_and_an_earlier_one_of_its_number_is_gone():
    mark = this_process()
    assert mark == this_process()
    assert mark.pid == os.getpid()
    assert not mark.is_gone()
    assert replace(mark, pid_started="an earlier boot:1").is_gone()


@pytest.mark.parametrize("started", [None, "boot:1"])
def test_a_number_that_nobody_has_is_gone(started):
    pid = int(python("import os; print(os.getpid())"))
    mark = ProcessMark(pid=pid, pid_started=started, host=this_process().host)
    assert mark.is_gone()
    assert not replace(mark, host="elsewhere").is_gone()


def test_a_forked_child_has_a_mark_of_its_own():
    out = python(
        """
        import os
        from zerg_visibility.store.liveness import this_process
        parent = this_process()
        child = os.fork()
        if child == 0:
            mark = this_process()
            told = (mark.pid == os.getpid() != parent.pid, mark.is_gone(), parent.is_gone())
            os.write(1, repr(told).encode())
            os._exit(0)
        os.waitpid(child, 0)
        """
    )
    assert out == "(True, False, False)"
