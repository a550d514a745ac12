"""Tier 2: metrics.jsonl of each commis, for reading and for the documented jq commands."""

import asyncio
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send

from tests.scripted import (
    answers_of,
    asks,
    calculator,
    commis_agent,
    concierge,
    json_lines,
    run,
    says,
)
from tests.spec.backup_run import COMMIS_ID, FAILURE, backup_run
from tests.spec.spec_commands import shell, starting_with
from zerg_visibility import create_commis_node
from zerg_visibility.callbacks.context import current_commis
from zerg_visibility.store.layout import METRICS, concierge_dir

TOKENS = {"prompt_tokens": 1234, "completion_tokens": 89, "total_tokens": 1323}
MODEL = {
    "requested_model": "gpt-5-mini", "success": True, "node": "model", "attempt": 1,
    "provider": "scriptedchatmodel",
}  # fmt: skip


def llm_line(phase: str, start_ts: str, end_ts: str, duration_ms: int, **ids: str) -> dict:
    timed = {"start_ts": start_ts, "end_ts": end_ts, "duration_ms": duration_ms}
    return {
        "event": "llm_call", "phase": phase, "model": "gpt-5-mini", **timed, **TOKENS, **MODEL,
        **ids,
    }  # fmt: skip


def test_metrics_jsonl_creation(tmp_path):
    backup = backup_run(tmp_path / "data")
    backup.go()

    metadata = backup.store.metadata(COMMIS_ID)
    lines = json_lines(tmp_path / "data" / "commis" / COMMIS_ID / METRICS)
    spans = [line.pop("span_id") for line in lines]
    assert len(set(spans)) == 5
    places = [line.pop("ns") for line in lines]
    assert [re.fullmatch(r"(\w+):[0-9a-f]{8}", place)[1] for place in places] == [
        "model", "tools", "model", "tools", "model",
    ]  # fmt: skip
    assert len(set(places)) == 5
    assert all(len(span) == 16 and int(span, 16) for span in spans)
    ids = {
        "commis_id": COMMIS_ID,
        "commis_name": "backup",
        "concierge_id": metadata.concierge_id,
        "trace_id": metadata.trace_id,
        "parent_span_id": metadata.span_id,
    }
    tool = {"event": "tool_call", "tool": "ssh_exec"}
    assert lines == [
        llm_line(
            "initial", "2025-12-15T03:19:12.000000Z", "2025-12-15T03:19:31.500000Z", 19_500, **ids
        ),
        {
            **tool,
            "start_ts": "2025-12-15T03:19:31.500000Z",
            "end_ts": "2025-12-15T03:19:32.734000Z",
            "duration_ms": 1234,
            "success": True,
            "tool_call_id": "call_1",
            "args_bytes": len('{"command":"tar"}'),
            "output_file": "tool_calls/001_ssh_exec.txt",
            "output_bytes": 4,
            "node": "tools",
            "attempt": 1,
            **ids,
        },
        llm_line(
            "tool_decision", "2025-12-15T03:19:32.734000Z", "2025-12-15T03:19:34.734000Z", 2000,
            **ids,
        ),
        {
            **tool,
            "start_ts": "2025-12-15T03:19:34.734000Z",
            "end_ts": "2025-12-15T03:19:35.034000Z",
            "duration_ms": 300,
            "success": False,
            "error": FAILURE,
            "tool_call_id": "call_2",
            "args_bytes": len('{"command":"rsync"}'),
            "output_file": "tool_calls/002_ssh_exec.txt",
            "output_bytes": len(FAILURE),
            "node": "tools",
            "attempt": 1,
            **ids,
        },
        llm_line(
            "synthesis", "2025-12-15T03:19:35.034000Z", "2025-12-15T03:19:35.145000Z", 111, **ids
        ),
    ]  # fmt: skip


def test_fields_stand_in_the_documented_order(tmp_path):
    backup = backup_run(tmp_path / "data")
    backup.go()
    first, second, *_ = json_lines(backup.store.folder(COMMIS_ID) / METRICS)
    assert list(first)[:9] == [
        "event", "phase", "model", "start_ts", "end_ts", "duration_ms", "prompt_tokens",
        "completion_tokens", "total_tokens",
    ]  # fmt: skip
    assert list(second)[:6] == ["event", "tool", "start_ts", "end_ts", "duration_ms", "success"]


def test_what_the_concierge_did_itself_is_in_its_own_file(tmp_path):
    backup = backup_run(tmp_path / "data")
    backup.go()
    concierge_id = backup.store.metadata(COMMIS_ID).concierge_id
    lines = json_lines(concierge_dir(backup.store.root, concierge_id) / METRICS)
    assert [(line["event"], line["duration_ms"]) for line in lines] == [
        ("llm_call", 100), ("commis_run", 23_145), ("tool_call", 23_145),
        ("llm_call", 100), ("commis_run", 50), ("tool_call", 50),
        ("llm_call", 100), ("concierge_run", 23_495),
    ]  # fmt: skip
    assert {line["trace_id"] for line in lines} == {backup.store.metadata(COMMIS_ID).trace_id}
    assert concierge_id.endswith(lines[0]["trace_id"][-8:])


def test_read_commis_file_can_access_metrics(store, handler):
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        asks("read_commis_file", job_id="1", file_path="metrics.jsonl"),
        says("Two LLM calls and one tool call."),
        store=store,
        commis=calculator(),
    )
    state = run(graph, "What took so long?", handler)

    commis_id = store.find(1)
    [answer] = answers_of(state, "read_commis_file")
    header, content = answer.content.split("\n\n", 1)
    assert header == f"Contents of metrics.jsonl from commis job 1 (commis {commis_id}):"
    assert content == (store.folder(commis_id) / METRICS).read_text()
    assert [json.loads(line)["event"] for line in content.splitlines()] == [
        "llm_call", "tool_call", "llm_call",
    ]  # fmt: skip


def parallel_graph(store, tasks: int):
    """A graph whose commis are all at work at the same moment, which a barrier sees to."""
    barrier = threading.Barrier(tasks, timeout=30)

    def meet(messages):
        barrier.wait()
        number = messages[-1].text.rpartition(" ")[2]
        return says(f"Done {number}.", usage_metadata={
            "input_tokens": int(number), "output_tokens": 0, "total_tokens": int(number),
        })  # fmt: skip

    commis = commis_agent(meet, repeat=True, tools=())
    builder = StateGraph(MessagesState)
    builder.add_node("research", create_commis_node(commis, store=store))

    def fan_out(state):
        return [
            Send("research", {"messages": [("user", f"Task number {number}")]})
            for number in range(1, tasks + 1)
        ]

    builder.add_conditional_edges(START, fan_out, ["research"])
    return builder.compile()


def test_metrics_collector_context_isolation(store, handler):
    graphs = [parallel_graph(store, 4) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for state in pool.map(lambda graph: run(graph, "Go.", handler), graphs):
            assert {m.text for m in state["messages"][1:]} >= {f"Done {n}." for n in range(1, 5)}

    found = list(store.recent())
    assert sorted(one.task for one in found) == sorted(
        f"Task number {number}" for number in [1, 2, 3, 4] * 3
    )
    assert len({one.trace_id for one in found}) == 3
    for one in found:
        [record] = store.records(one.commis_id).items
        assert record.total_tokens == int(one.task.split()[-1]), "another commis's call"
        assert (record.commis_id, record.trace_id, record.concierge_id) == (
            one.commis_id, one.trace_id, one.concierge_id,
        )  # fmt: skip
        assert record.parent_span_id == one.span_id
    assert current_commis.get() is None
    assert handler.open_runs == 0


async def test_context_isolation_of_tasks_in_one_thread(store, handler):
    waiting = []
    all_at_work = asyncio.Event()

    async def answer(messages):
        waiting.append(messages)
        if len(waiting) == 5:
            all_at_work.set()
        await all_at_work.wait()
        return says(messages[-1].text)

    commis = create_commis_node(commis_agent(answer, repeat=True, tools=()), store=store)
    config = {"callbacks": [handler]}
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(commis.ainvoke({"messages": [("user", f"Task {n}")]}, config) for n in range(5))
        )

    for one in store.recent():
        [record] = store.records(one.commis_id).items
        assert (record.commis_id, record.trace_id) == (one.commis_id, one.trace_id)
        assert store.result(one.commis_id) == one.task
    assert current_commis.get() is None


class TestJqCommands:
    """Every jq command of the specification, as printed there, on what a real run left."""

    @pytest.fixture
    def folder(self, tmp_path, jq_on_path):
        backup = backup_run(tmp_path / "data")
        backup.go()
        return backup.store.folder(COMMIS_ID)

    def test_metrics_jsonl_jq_commands(self, folder):
        lines = json_lines(folder / METRICS)
        slowest = [lines[0], lines[2], lines[1], lines[3], lines[4]]
        assert [line["duration_ms"] for line in slowest] == [19_500, 2000, 1234, 300, 111]
        expected = {
            "sort_by(.duration_ms) | reverse | .[0:5]": slowest,
            '[.[] | select(.event=="llm_call") | .duration_ms] | add': 21_611,
            '[.[] | select(.event=="tool_call")] | length': 2,
            '.[] | select(.event=="tool_call" and .success==false)': lines[3],
        }
        answers = {
            command.split("'")[1]: json.loads(shell(command, folder))
            for command in starting_with("jq")
        }
        assert answers == expected

    def test_they_work_on_the_concierges_file_too(self, folder):
        [concierge] = (folder.parents[1] / "concierge").iterdir()
        answers = [shell(command, concierge) for command in starting_with("jq")]
        assert [line["duration_ms"] for line in json.loads(answers[0])] == [
            23_495, 23_145, 23_145, 100, 100,
        ]  # fmt: skip
        assert answers[1:] == ["300\n", "2\n", ""]
