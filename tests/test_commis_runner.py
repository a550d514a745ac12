"""What running a commis leaves behind, and what it leaves alone."""

import asyncio
import json

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.scripted import (
    after,
    asks,
    calculator,
    commis_agent,
    json_lines,
    multiply,
    plain_commis,
    run,
    says,
    without_message_ids,
)
from zerg_visibility import (
    CommisMetadata,
    CommisNotFoundError,
    CommisTotals,
    create_commis_node,
    report_job,
    visibility,
)
from zerg_visibility.store.liveness import this_process

EVERYTHING = [
    "metadata.json",
    "metrics.jsonl",
    "result.txt",
    "started.jsonl",
    "thread.jsonl",
    "tool_calls/001_multiply.txt",
]


# The fields of metadata.json, in their order; there may be more.
DOCUMENTED = [
    "commis_id", "job_id", "name", "task", "status", "created_at", "started_at",
    "finished_at", "duration_ms", "wall_ms", "segments", "attempts", "error", "owner_id",
    "parent_commis_id", "concierge_id", "trace_id", "span_id", "thread_id", "pid",
    "pid_started", "host", "totals", "dropped_records", "schema_version",
]  # fmt: skip


def documented(metadata: CommisMetadata) -> dict:
    return {name: value for name, value in metadata.to_dict().items() if name in DOCUMENTED}


def outer(commis, **options):
    """A concierge's graph whose only node is a commis."""
    builder = StateGraph(MessagesState)
    builder.add_node("research", create_commis_node(commis, **options))
    return builder.add_edge(START, "research").compile()


def test_a_run_leaves_its_whole_metadata(store, clocked_handler, clock):
    commis = commis_agent(
        after(clock, 40, asks("multiply", a=7, b=6)), after(clock, 58, says("The result is 42."))
    )
    run(outer(commis, store=store), "Calculate 7*6", clocked_handler)

    commis_id = "2025-12-15T04-08-08_calculate-7-6"
    metadata = store.written_metadata(commis_id)
    mark = this_process()
    expected = CommisMetadata(
        commis_id=commis_id,
        job_id=1,
        name="research",
        task="Calculate 7*6",
        status="success",
        created_at="2025-12-15T04:08:08.123456Z",
        started_at="2025-12-15T04:08:08.123456Z",
        finished_at="2025-12-15T04:08:08.221456Z",
        duration_ms=98,
        wall_ms=98,
        segments=1,
        attempts=1,
        concierge_id=f"2025-12-15T04-08-08_{metadata.trace_id[-8:]}",
        trace_id=metadata.trace_id,
        span_id=metadata.span_id,
        pid=mark.pid,
        pid_started=mark.pid_started,
        host=mark.host,
        totals=CommisTotals(
            llm_calls=2,
            tool_calls=1,
            prompt_tokens=2 * 1234,
            completion_tokens=2 * 89,
            total_tokens=2 * 1323,
            llm_ms=98,
        ),
    )
    assert documented(metadata) == documented(expected)
    assert (len(metadata.trace_id), len(metadata.span_id)) == (32, 16)


def test_a_run_leaves_its_files(store, handler):
    run(outer(calculator(), store=store), "Calculate 7*6", handler)

    commis_id = store.find(1)
    folder = store.folder(commis_id)
    assert store.files(commis_id) == EVERYTHING
    assert (folder / "result.txt").read_text() == "The result is 42."
    assert (folder / "tool_calls/001_multiply.txt").read_text() == "42"
    assert [line["type"] for line in json_lines(folder / "thread.jsonl")] == [
        "human", "ai", "tool", "ai",
    ]  # fmt: skip
    starts = json_lines(folder / "started.jsonl")
    records = json_lines(folder / "metrics.jsonl")
    ids = ("event", "span_id", "parent_span_id")
    assert [(s["name"], *(s[name] for name in ids)) for s in starts] == [
        (r.get("tool", r.get("model")), *(r[name] for name in ids)) for r in records
    ]
    assert all(s["start_ts"] <= r["start_ts"] for s, r in zip(starts, records, strict=True))
    assert store.calls_in_flight(commis_id) == ()


@pytest.mark.parametrize("capture", [(), ("result",), ("messages", "starts"), ("tool_outputs",)])
def test_capture_chooses_what_is_stored_beside_metrics(store, handler, capture):
    run(outer(calculator(), store=store, capture=capture), "Calculate 7*6", handler)
    owned = {
        "result.txt": "result",
        "thread.jsonl": "messages",
        "tool_calls/001_multiply.txt": "tool_outputs",
        "started.jsonl": "starts",
    }
    expected = [name for name in EVERYTHING if owned.get(name) in {None, *capture}]
    assert store.files(store.find(1)) == expected
    assert len(store.records(store.find(1)).items) == 3


def test_redaction_reaches_every_file_and_line(store, handler, memory_sink):
    def redact(text: str) -> str:
        return text.replace("hunter2", "***")

    @tool
    def log_in(password: str) -> str:
        """Log in."""
        raise ValueError(f"wrong: {password}")

    commis = commis_agent(asks("log_in", password="hunter2"), tools=[log_in])
    graph = outer(commis, store=store, redact=redact)
    with pytest.raises(ValueError, match="wrong: hunter2"):
        run(graph, "Log in with hunter2", handler)

    commis_id = store.find(1)
    texts = [(store.folder(commis_id) / name).read_text() for name in store.files(commis_id)]
    assert not [text for text in texts if "hunter2" in text]
    assert "hunter2" not in str(memory_sink.records)
    assert store.metadata(commis_id).error == "ValueError: wrong: ***"
    assert store.metadata(commis_id).task == "Log in with ***"


@pytest.mark.parametrize("watched", [True, False])
def test_the_state_is_the_same_with_and_without_watching(store, handler, watched):
    plain = StateGraph(MessagesState).add_node("research", calculator())
    expected = run(plain.add_edge(START, "research").compile(), "Calculate 7*6")
    handlers = [handler] if watched else []
    state = run(outer(calculator(), store=store), "Calculate 7*6", *handlers)
    assert [m.text for m in state["messages"]] == [m.text for m in expected["messages"]]
    assert without_message_ids(state) == without_message_ids(expected)


async def test_the_same_files_sync_and_async(store, handler):
    graph = outer(calculator(), store=store)
    inputs = {"messages": [("user", "Calculate 7*6")]}
    graph.invoke(inputs, {"callbacks": [handler]})
    await graph.ainvoke(inputs, {"callbacks": [handler]})
    list(graph.stream(inputs, {"callbacks": [handler]}))
    async for _ in graph.astream(inputs, {"callbacks": [handler]}):
        pass
    for job_id in (1, 2, 3, 4):
        commis_id = store.find(job_id)
        assert store.files(commis_id) == EVERYTHING
        assert store.metadata(commis_id).status == "success"
        assert store.metadata(commis_id).totals.llm_calls == 2


def test_without_a_handler_it_is_measured_all_the_same(store):
    run(outer(calculator(), store=store), "Calculate 7*6")
    metadata = store.metadata(store.find(1))
    assert (metadata.status, metadata.totals.llm_calls, metadata.concierge_id) == (
        "success", 2, None,
    )  # fmt: skip
    assert not (store.root / "concierge").exists()


def test_a_block_of_code_can_be_watched_without_passing_callbacks(store):
    with visibility(store) as handler:
        run(outer(calculator()), "Calculate 7*6")
    assert handler.stats.records == 5
    assert handler.open_runs == 0
    assert store.metadata(store.find(1)).concierge_id is not None


def test_report_job_tells_the_concierge_which_job_it_was(store, clocked_handler, clock):
    graph = outer(commis_agent(after(clock, 1234, says("42"))), store=store, output=report_job)
    state = run(graph, "Calculate 7*6", clocked_handler)
    assert [(m.text, m.name) for m in state["messages"][1:]] == [
        ("42", None),
        (
            "Commis job 1 (research) ended with status success in 1.2s. "
            'Read it with read_commis_result(job_id="1").',
            "commis_report",
        ),
    ]


def test_a_failure_passes_through_unchanged_and_is_recorded(store, handler):
    error = ConnectionError("no route to host")

    def fail(_):
        raise error

    with pytest.raises(ConnectionError) as caught:
        run(outer(plain_commis(fail), store=store), "Reach it", handler)
    assert caught.value is error
    metadata = store.metadata(store.find(1))
    assert (metadata.status, metadata.error) == ("failed", "ConnectionError: no route to host")
    assert store.files(metadata.commis_id) == ["metadata.json"]


async def test_cancelling_leaves_a_record_of_what_was_going_on(store, handler):
    begun = asyncio.Event()

    async def hang(_):
        begun.set()
        await asyncio.Event().wait()

    graph = outer(commis_agent(hang), store=store)
    task = asyncio.create_task(
        graph.ainvoke({"messages": [("user", "Wait")]}, {"callbacks": [handler]})
    )
    await asyncio.wait_for(begun.wait(), 30)
    commis_id = store.find(1)
    assert store.metadata(commis_id).status == "running"
    assert [start.event for start in store.calls_in_flight(commis_id)] == ["llm_call"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    metadata = store.metadata(commis_id)
    assert (metadata.status, metadata.error) == ("cancelled", None)
    [record] = store.records(commis_id).items
    assert (record.success, record.error) == (False, "cancelled")
    assert store.calls_in_flight(commis_id) == ()


def test_a_resumed_commis_goes_on_under_its_number(store, clocked_handler, clock):
    def ask_human(state: MessagesState):
        clock.advance(10)
        return {"messages": [("ai", interrupt("Go on?"))]}

    builder = StateGraph(MessagesState)
    builder.add_node("research", create_commis_node(plain_commis(ask_human), store=store))
    graph = builder.add_edge(START, "research").compile(checkpointer=InMemorySaver())
    config = {"callbacks": [clocked_handler], "configurable": {"thread_id": "t"}}
    graph.invoke({"messages": [("user", "Deploy")]}, config)
    commis_id = store.find(1)
    assert store.metadata(commis_id).status == "interrupted"
    clock.advance(3_600_000)
    graph.invoke(Command(resume="yes"), config)

    metadata = store.metadata(commis_id)
    assert (metadata.status, metadata.segments, metadata.attempts) == ("success", 2, 1)
    assert (metadata.duration_ms, metadata.wall_ms) == (20, 3_600_020)
    assert (metadata.thread_id, store.newest_job()) == ("t", 1)
    assert store.result(commis_id) == "yes"


def test_metadata_is_whole_whenever_it_is_read(store, handler):
    seen = []

    @tool
    def look(path: str) -> str:
        """Look at the files of this very commis."""
        seen.append(store.metadata(store.find(1)).status)
        return path

    commis = commis_agent(asks("look", path="."), says("Seen."), tools=[look, multiply])
    run(outer(commis, store=store), "Look", handler)
    assert seen == ["running"]
    with pytest.raises(CommisNotFoundError):
        store.metadata("2025-12-15T04-08-08_calculate-7-6")
    raw = json.loads((store.folder(store.find(1)) / "metadata.json").read_bytes())
    assert [field for field in raw if field in DOCUMENTED] == DOCUMENTED
