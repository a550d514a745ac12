"""Bad input: a clear error or a sensible answer, the graph's own result unchanged, nothing lost."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from tests.scripted import (
    answers_of,
    asks,
    calculator,
    commis_agent,
    concierge,
    json_lines,
    multiply,
    plain_commis,
    run,
    says,
    without_message_ids,
)
from zerg_visibility import (
    CommisStore,
    MetadataUnreadableError,
    VisibilityCallbackHandler,
    create_commis_node,
)

REPOSITORY = Path(__file__).parents[1]

ESCAPES = [
    "../../jobs/1",
    "..",
    ".",
    "",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "a/../../../jobs/1",
    "tool_calls/../../../jobs/1",
    "./result.txt",
    "result.txt/",
    "tool_calls//001_multiply.txt",
    "result.txt\0",
    "\0",
    "..\\..\\jobs\\1",
    "%2e%2e/%2e%2e/jobs/1",
    "..%2f..%2fjobs%2f1",
    "\uff0e\uff0e/\uff0e\uff0e/jobs/1",  # full-width dots
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    "link_to_file",
    "link_to_folder/passwd",
    "tool_calls",
    "pipe",
    "x" * 100_000,
    "metadata.json\n",
]


def read_by_concierge(store, handler, *calls):
    graph = concierge(*calls, says("Thank you."), store=store, commis=calculator())
    state = run(graph, "Please find out.", handler)
    return [message for message in state["messages"] if message.type == "tool"]


def watched_and_not(make_graph, inputs, handler):
    """Run a graph with and without a commis around its node; both states have to be the same."""
    plain = StateGraph(MessagesState).add_node("commis", make_graph())
    expected = plain.add_edge(START, "commis").compile().invoke(inputs)
    node = create_commis_node(make_graph(), store=handler.store)
    watched = StateGraph(MessagesState).add_node("commis", node).add_edge(START, "commis").compile()
    state = watched.invoke(inputs, {"callbacks": [handler]})
    assert without_message_ids(state) == without_message_ids(expected)
    assert handler.open_runs == 0
    return state


class TestPaths:
    @pytest.mark.parametrize("path", ESCAPES, ids=lambda path: repr(path[:40]))
    def test_no_spelling_leaves_the_directory(self, store, handler, path):
        run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
        folder = store.folder(store.find(1))
        (folder / "link_to_file").symlink_to("/etc/passwd")
        (folder / "link_to_folder").symlink_to("/etc")
        os.mkfifo(folder / "pipe")
        [answer] = read_by_concierge(
            store, handler, asks("read_commis_file", job_id="1", file_path=path)
        )
        assert answer.status == "error"
        assert answer.text.startswith("Error: File '")
        # One answer for all, so that nothing can be probed.
        assert answer.text.partition("' not found in commis job 1. Files: ")[2] == (
            "metadata.json, metrics.jsonl, result.txt, started.jsonl, thread.jsonl, "
            "tool_calls/001_multiply.txt."
        )
        assert len(answer.text) < 400

    @pytest.mark.parametrize(
        "job", ["0", "-1", "1.0", "01", "٣", "../1", "/etc/passwd", "", "2026-11-23T12-36-17_..",
                "9" * 100_000, "1\n", "1\0", "true"],
        ids=lambda job: repr(job[:30]),
    )  # fmt: skip
    def test_an_unknown_job_in_any_spelling(self, store, handler, job):
        run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
        [answer] = read_by_concierge(store, handler, asks("read_commis_result", job_id=job))
        assert answer.status == "error"
        assert answer.text.startswith("Error: Commis job ")
        assert answer.text.endswith(" not found. Recent jobs: 1.")
        assert len(answer.text) < 200


class TestTasks:
    @pytest.mark.parametrize(
        ("task", "slug"),
        [
            ("x" * 100_000, "x" * 30),
            ("🎉🎉🎉", "task"),
            ("   \n", "task"),
            ("../../etc/passwd", "etc-passwd"),
            ("Überprüfe das Büro", "uberprufe-das-buro"),
            ("a\0b", "a-b"),
            ("\ud83d lone", "lone"),
        ],
        ids=lambda value: repr(value[:20]),
    )
    def test_any_text_can_be_a_task(self, store, handler, task, slug):
        node = create_commis_node(calculator(), store=store, task=lambda _: task)
        run(node, "Whatever it is", handler)
        commis_id = store.find(1)
        assert commis_id.partition("_")[2] == slug
        metadata = store.metadata(commis_id)
        assert metadata.status == "success"
        assert len(metadata.task) <= 10_000
        assert handler.stats.failures == 0

    def test_a_task_of_100_kb_is_worked_on_whole(self, store, handler):
        inputs = {"messages": [("user", "word " * 20_000)]}
        watched_and_not(calculator, inputs, handler)
        assert store.result(store.find(1)) == "The result is 42."

    def test_a_task_function_that_fails_costs_only_the_text(self, store, caplog):
        handler = VisibilityCallbackHandler(store)
        node = create_commis_node(calculator(), store=store, name="calc", task=lambda s: s["nope"])
        state = run(node, "Calculate 7*6", handler)
        assert state["messages"][-1].text == "The result is 42."
        assert store.find(1).endswith("_calc")
        assert handler.stats.failures == 1
        assert caplog.messages[0].startswith(
            "watching could not make a task text of a commis's input: KeyError: 'nope'"
        )


class TestToolOutputs:
    def output_of(self, store, handler, answer, name="fetch"):
        @tool(name)
        def fetch() -> str:
            """Fetch something."""
            return answer

        def make():
            return commis_agent(asks(name), says("Done."), tools=[fetch])

        watched_and_not(make, {"messages": [("user", "Fetch it")]}, handler)
        commis_id = store.find(1)
        record = next(r for r in store.records(commis_id).items if r.event == "tool_call")
        return record, (store.folder(commis_id) / record.output_file).read_bytes()

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("fs/read", "tool_calls/001_fs_read.txt"),
            ("../../escape", "tool_calls/001_escape.txt"),
            ("/", "tool_calls/001_tool.txt"),
            ("n" * 300, f"tool_calls/001_{'n' * 60}.txt"),
            ("werkzeug-ä", "tool_calls/001_werkzeug-.txt"),
        ],
        ids=lambda value: value[:30],
    )
    def test_a_tool_may_have_any_name(self, store, handler, name, file):
        record, content = self.output_of(store, handler, "content", name)
        assert (record.tool[:100], record.output_file) == (name[:100], file)
        assert content == b"content"

    def test_50_mb_are_stored_whole(self, store, handler):
        text = "0123456789abcdef" * (50_000_000 // 16)
        record, content = self.output_of(store, handler, text)
        assert record.output_bytes == len(content) == 50_000_000
        assert content == text.encode()
        assert store.folder(store.find(1)).joinpath("metrics.jsonl").stat().st_size < 10_000

    @pytest.mark.parametrize(
        "answer", [b"\xff\xfe raw", "", None, "\ud83d", [1, {"a": None}], {"text": "x"}],
        ids=repr,
    )  # fmt: skip
    def test_an_output_may_be_of_any_kind(self, store, handler, answer):
        record, content = self.output_of(store, handler, answer)
        assert record.success
        assert record.output_bytes == len(content)
        assert handler.stats.failures == 0


class TestResults:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            ("", ""),
            ([], ""),
            ([{"type": "text", "text": "The result "}, {"type": "text", "text": "is 42."}],
             "The result is 42."),
            (["The result", {"type": "text", "text": " is 42."}], "The result is 42."),
            ([{"type": "image", "base64": "AAAA", "mime_type": "image/png"}], ""),
        ],
    )  # fmt: skip
    def test_a_result_may_be_empty_or_a_list_of_blocks(self, store, handler, content, text):
        def make():
            return commis_agent(AIMessage(content))

        watched_and_not(make, {"messages": [("user", "Calculate 7*6")]}, handler)
        assert store.result(store.find(1)) == text
        answer = read_by_concierge(store, handler, asks("read_commis_result", job_id="1"))[0]
        assert answer.status == "success"
        assert answer.text.endswith(f"\n\n{text or 'It succeeded and left no result text.'}")

    def test_a_model_may_report_neither_name_nor_usage(self, store, handler):
        def make():
            return commis_agent(AIMessage("42"), model_name=None)

        watched_and_not(make, {"messages": [("user", "Calculate 7*6")]}, handler)
        metadata = store.metadata(store.find(1))
        assert (metadata.totals.llm_calls, metadata.totals.calls_without_usage) == (1, 1)
        [line] = json_lines(store.folder(metadata.commis_id) / "metrics.jsonl")
        assert list(line) == [
            "event", "phase", "start_ts", "end_ts", "duration_ms", "success", "node", "attempt",
            "commis_id", "concierge_id", "trace_id", "span_id", "parent_span_id",
        ]  # fmt: skip


class TestDamagedFiles:
    @pytest.mark.parametrize(
        "content", [b"", b"{", b"null", b"[]", b'{"status": "odd"}', b"\xff\xfe", None], ids=repr
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
        result, file, metrics = read_by_concierge(
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
        metrics, file = read_by_concierge(
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
        [answer] = read_by_concierge(store, handler, asks("read_commis_result", job_id="1"))
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
        watched_and_not(calculator, inputs, handler)
        assert handler.stats.records == 4
        assert handler.stats.dropped_records == 4
        assert handler.stats.failures >= 4
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
        script = textwrap.dedent(
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
            """
        )
        root = tmp_path / "data"
        root.mkdir()
        root.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", script, str(root)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("The result is 42. 3 0\n", "")
        assert list(root.iterdir()) == []


class TestRootDeletedMeanwhile:
    def test_the_graph_goes_on_and_later_records_find_a_place(self, store, handler):
        @tool
        def wipe() -> str:
            """Delete everything that is watched."""
            shutil.rmtree(store.root)
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


@pytest.mark.parametrize(
    "answer",
    ["text", ["a", "b"], "x" * 200_000, [{"type": "text", "text": "block"}]],
    ids=["text", "list", "long", "blocks"],
)
def test_a_run_with_and_without_the_handler_returns_the_same_state(store, handler, answer):
    def make():
        return plain_commis(lambda _: {"messages": [AIMessage(answer)]})

    watched_and_not(make, {"messages": [("user", "Say it")]}, handler)
    assert handler.stats.failures == 0
