"""Files and folders that are damaged, out of reach, or gone while a graph runs."""

import os
import shutil

import pytest
from langchain_core.tools import tool

from tests.processes import python_with_faults
from tests.scripted import (
    answers_of,
    asks,
    calculator,
    commis_agent,
    concierge,
    consult,
    json_lines,
    multiply,
    run,
    says,
    watched_like_unwatched,
    without_message_ids,
)
from zerg_visibility import (
    CommisStore,
    MetadataUnreadableError,
    VisibilityCallbackHandler,
    create_commis_node,
)


class TestDamagedFiles:
    @pytest.mark.parametrize(
        "content", [b"", b"{", b"null", b"[]", b'{"status": 7}', b"\xff\xfe", None], ids=repr
    )
    def test_a_broken_metadata_json_hides_nothing_else(self, store, handler, content):
        run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
        commis_id = store.find(1)
        path = store.folder(commis_id) / "metadata.json"
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        os.utime(path.parent, (0, 0))  # one that has just been made would read as running

        with pytest.raises(MetadataUnreadableError, match=commis_id):
            store.metadata(commis_id)
        [stub] = store.recent()
        assert (stub.commis_id, stub.job_id, stub.status) == (commis_id, 1, "lost")
        result, file, metrics = consult(
            store,
            handler,
            asks("read_commis_result", job_id="1"),
            asks("read_commis_file", job_id="1", file_path="result.txt"),
            asks("get_commis_metrics", job_id="1"),
        )
        assert "cannot be read" in result.text
        assert result.text.endswith("The result is 42.")
        assert file.text.endswith("The result is 42.")
        assert metrics.status == "success"
        assert "2 calls" in metrics.text

    def test_a_torn_last_line_is_skipped_and_said(self, store, handler):
        run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
        commis_id = store.find(1)
        with (store.folder(commis_id) / "metrics.jsonl").open("ab") as file:
            file.write(b'{"event":"llm_call","phase":"syn')
        read = store.records(commis_id)
        assert (len(read.items), read.unreadable, read.torn) == (3, 0, True)
        assert read.remark == "Skipped: the last line is unfinished."
        metrics, file = consult(
            store,
            handler,
            asks("get_commis_metrics", job_id="1"),
            asks("read_commis_file", job_id="1", file_path="metrics.jsonl"),
        )
        assert "Skipped: the last line is unfinished." in metrics.text
        assert file.text.splitlines()[-1] != '{"event":"llm_call","phase":"syn'

    def test_a_job_without_content_is_passed_over(self, store, handler):
        store.write_file(store.root / "jobs/1", b"")
        run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
        assert [one.job_id for one in store.recent()] == [2]
        [answer] = consult(store, handler, asks("read_commis_result", job_id="1"))
        assert answer.text == "Error: Commis job 1 not found. Recent jobs: 2."


class TestUnwritableRoot:
    """Permissions do not bind the superuser, so a file stands where a folder is needed."""

    @pytest.fixture
    def blocked(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        return CommisStore(tmp_path / "file" / "data")

    def test_the_graph_goes_on_and_losses_are_counted(self, blocked, caplog):
        handler = VisibilityCallbackHandler(blocked)
        inputs = {"messages": [("user", "Calculate 7*6")]}
        watched_like_unwatched(calculator, inputs, handler)
        assert handler.stats.records == 5
        assert handler.stats.dropped_records == 5
        assert handler.stats.failures >= 5
        assert any("create a commis's directory: NotADirectoryError" in m for m in caplog.messages)
        assert len(caplog.messages) < handler.stats.failures  # said once a kind

    def test_a_commis_tool_still_answers_with_result_and_time(self, blocked):
        handler = VisibilityCallbackHandler(blocked)
        graph = concierge(
            asks("research", task="Calculate 7*6"),
            asks("list_commis"),
            says("It is 42."),
            store=blocked,
            commis=calculator(),
        )
        state = run(graph, "What is 7*6?", handler)
        [started] = answers_of(state, "research")
        assert started.text.startswith("Result from commis ")
        assert started.text.endswith("\n\nThe result is 42.")
        assert "\n\nExecution time: " in started.text
        assert answers_of(state, "list_commis")[0].status == "success"

    def test_a_root_without_permission(self, tmp_path):
        # As another user, in a process of its own.
        tmp_path.chmod(0o755)
        root = tmp_path / "data"
        root.mkdir()
        root.chmod(0o555)
        out = python_with_faults(
            """
            import os, sys
            from tests.scripted import calculator, run
            from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node
            if os.getuid() == 0:
                os.setuid(65534)
            store = CommisStore(sys.argv[1])
            handler = VisibilityCallbackHandler(store)
            state = run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
            print(state["messages"][-1].text, handler.stats.dropped_records, handler.open_runs)
            """,
            root,
        )
        assert out == "The result is 42. 3 0\n"
        assert list(root.iterdir()) == []


class TestNoJobAtFirst:
    def test_the_commis_is_stored_once_it_can_be_given_a_number(self, store, let_pass):
        jobs = store.root / "jobs"
        store.root.mkdir()
        jobs.write_text("in the way")

        @tool
        def wait() -> str:
            """Wait until it is tried again."""
            let_pass(2)
            return "in vain"

        @tool
        def repair() -> str:
            """Let jobs have numbers."""
            jobs.unlink()
            let_pass(2)
            return "repaired"

        handler = VisibilityCallbackHandler(store)
        agent = commis_agent(asks("wait"), asks("repair"), says("42"), tools=[wait, repair])
        run(create_commis_node(agent, store=store), "Repair", handler)
        metadata = store.metadata(1)
        assert (metadata.status, metadata.totals.tool_calls) == ("success", 2)
        assert handler.stats.dropped_records == metadata.dropped_records == 3
        assert store.result(1) == "42"


class TestRootDeletedMeanwhile:
    def test_the_graph_goes_on_and_later_records_find_a_place(self, store, handler, let_pass):
        @tool
        def wipe() -> str:
            """Delete everything that is watched."""
            shutil.rmtree(store.root)
            # Whether an open file is still at its place is looked up no more often than this.
            let_pass(1)
            return "gone"

        def make():
            return commis_agent(
                asks("wipe"), asks("multiply", a=7, b=6), says("42"), tools=[wipe, multiply]
            )

        store.root.mkdir()
        plain = run(make(), "Wipe")
        store.root.mkdir()
        node = create_commis_node(make(), store=store)
        state = run(node, "Wipe", handler)
        assert without_message_ids(state) == without_message_ids(plain)
        [folder] = (store.root / "commis").iterdir()
        assert [line["event"] for line in json_lines(folder / "metrics.jsonl")] == [
            "tool_call", "llm_call", "tool_call", "llm_call",
        ]  # fmt: skip
        metadata = store.metadata(folder.name)
        assert (metadata.status, metadata.totals.llm_calls) == ("success", 3)
        assert store.result(folder.name) == "42"
        assert handler.open_runs == 0

    def test_commis_that_start_afterwards_are_listed_under_numbers_never_given_before(
        self, store, handler
    ):
        node = create_commis_node(calculator(), store=store)
        run(node, "First", handler)
        shutil.rmtree(store.root)
        run(node, "Second", handler)
        assert [(one.job_id, one.task) for one in store.recent()] == [(2, "Second")]
        other_process = CommisStore(store.root)
        assert [one.job_id for one in other_process.recent()] == [2]
        run(create_commis_node(calculator(), store=other_process), "Third", handler)
        assert [one.job_id for one in store.recent()] == [3, 2]
