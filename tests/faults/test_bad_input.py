"""Bad input: a clear error or a sensible answer, the graph's own result unchanged, nothing lost."""

import os

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from tests.scripted import (
    asks,
    calculator,
    commis_agent,
    consult,
    json_lines,
    plain_commis,
    run,
    says,
    watched_like_unwatched,
)
from zerg_visibility import VisibilityCallbackHandler, create_commis_node

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


class TestPaths:
    @pytest.mark.parametrize("path", ESCAPES, ids=lambda path: repr(path[:40]))
    def test_no_spelling_leaves_the_directory(self, store, handler, path):
        run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
        folder = store.folder(store.find(1))
        (folder / "link_to_file").symlink_to("/etc/passwd")
        (folder / "link_to_folder").symlink_to("/etc")
        os.mkfifo(folder / "pipe")
        [answer] = consult(store, handler, asks("read_commis_file", job_id="1", file_path=path))
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
        [answer] = consult(store, handler, asks("read_commis_result", job_id=job))
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
        watched_like_unwatched(calculator, inputs, handler)
        assert store.result(store.find(1)) == "The result is 42."

    def test_a_task_function_that_fails_costs_only_the_text(self, store, caplog):
        handler = VisibilityCallbackHandler(store)
        node = create_commis_node(calculator(), store=store, name="calc", task=lambda s: s["nope"])
        state = run(node, "Calculate 7*6", handler)
        assert state["messages"][-1].text == "The result is 42."
        assert store.find(1).endswith("_calc")
        assert handler.stats.failures == 1
        assert caplog.messages[0].startswith(
            "zerg_visibility could not make a task text of a commis's input: KeyError: 'nope'"
        )


class TestToolOutputs:
    def output_of(self, store, handler, answer, name="fetch"):
        @tool(name)
        def fetch() -> str:
            """Fetch something."""
            return answer

        def make():
            return commis_agent(asks(name), says("Done."), tools=[fetch])

        watched_like_unwatched(make, {"messages": [("user", "Fetch it")]}, handler)
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

        watched_like_unwatched(make, {"messages": [("user", "Calculate 7*6")]}, handler)
        assert store.result(store.find(1)) == text
        answer = consult(store, handler, asks("read_commis_result", job_id="1"))[0]
        assert answer.status == "success"
        assert answer.text.endswith(f"\n\n{text or 'It succeeded and left no result text.'}")

    def test_a_model_may_report_neither_name_nor_usage(self, store, handler):
        def make():
            return commis_agent(AIMessage("42"), model_name=None)

        watched_like_unwatched(make, {"messages": [("user", "Calculate 7*6")]}, handler)
        metadata = store.metadata(store.find(1))
        assert (metadata.totals.llm_calls, metadata.totals.calls_without_usage) == (1, 1)
        [line] = json_lines(store.folder(metadata.commis_id) / "metrics.jsonl")
        assert list(line) == [
            "event", "phase", "start_ts", "end_ts", "duration_ms", "success", "node", "attempt",
            "commis_id", "concierge_id", "trace_id", "span_id", "parent_span_id", "provider",
            "commis_name", "ns",
        ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    ["text", ["a", "b"], "x" * 200_000, [{"type": "text", "text": "block"}]],
    ids=["text", "list", "long", "blocks"],
)
def test_a_run_with_and_without_the_handler_returns_the_same_state(store, handler, answer):
    def make():
        return plain_commis(lambda _: {"messages": [AIMessage(answer)]})

    watched_like_unwatched(make, {"messages": [("user", "Say it")]}, handler)
    assert handler.stats.failures == 0
