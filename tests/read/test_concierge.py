"""`store.concierge(...)` and `store.concierges()`: the root runs of concierges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.tools import tool as tool_of
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.cli.samples import SECOND, llm, run, tool
from tests.scripted import asks, calculator, commis_agent, says
from zerg_visibility import (
    Concierge,
    ConciergeRunRecord,
    RunNotFoundError,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.liveness import this_process

NAME = "2025-12-15T04-08-08_0123abcd"
BEGUN_US = 1_765_771_688_000_000


def lines(*items) -> bytes:
    return b"".join(json_line(item.to_dict()) for item in items)


def begun(**known) -> CallStarted:
    mark = this_process()
    values = {
        "event": "concierge_run", "name": "lead", "span_id": "a" * 16, "start_us": BEGUN_US,
        "trace_id": "b" * 32, "thread_id": "t-1", "pid": mark.pid,
        "pid_started": mark.pid_started, "host": mark.host,
    }  # fmt: skip
    return CallStarted(**{**values, **known})


def lie(store, started: bytes | None, metrics: bytes = b"", name: str = NAME) -> Concierge:
    for file, data in (("started.jsonl", started), ("metrics.jsonl", metrics)):
        if data is not None:
            store.write_file(store.root / "concierge" / name / file, data)
    return store.concierge(name)


def test_a_real_run_tells_its_calls_and_its_commis(store):
    helper = create_commis_tool(calculator(), name="helper", description="Counts.", store=store)
    lead = commis_agent(asks("helper", task="7*6"), says("42"), tools=[helper])
    lead.invoke(
        {"messages": [("user", "Go")]},
        {
            "callbacks": [VisibilityCallbackHandler(store)],
            "run_name": "lead",
            "metadata": {"thread_id": "t-7"},
        },
    )
    [found] = store.concierges()
    assert (found.status, found.name, found.thread_id) == ("success", "lead", "t-7")
    assert [record.event for record in found.records] == [
        "llm_call", "commis_run", "tool_call", "llm_call",
    ]  # fmt: skip
    assert (found.totals.llm_calls, found.totals.tool_calls) == (2, 1)
    assert [(one.name, one.job_id, one.status) for one in found.children] == [
        ("helper", 1, "success")
    ]
    assert found.commis == (store.metadata(1),)
    below = found.descendants
    assert below is not None
    assert (below.jobs, below.llm_calls, below.tool_calls) == (1, 2, 1)
    assert found.trace_id == store.metadata(1).trace_id
    assert found.run is not None
    assert found.at_work_ms == found.run.duration_ms
    assert repr(found).startswith(f"<concierge run {found.concierge_id}: success, ")
    assert repr(found).endswith("3 calls, 1 commis>")
    assert "<tr><th>commis</th><td>1</td></tr>" in found._repr_html_()
    shown = found.to_dict()
    assert (shown["status"], shown["commis_started"], len(shown["records"])) == ("success", 1, 4)
    assert [one["job_id"] for one in shown["commis"]] == [1]


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (begun(), "running"),
        (begun(pid_started="gone:1"), "lost"),
        (begun(host="elsewhere", pid_started="gone:1"), "running"),
        (begun(pid=None), "lost"),
    ],
)
def test_whether_it_runs_is_asked_of_its_process(store, start, status):
    found = lie(store, lines(start), lines(tool(BEGUN_US + SECOND, 5)))
    assert (found.status, found.run, found.name) == (status, None, "lead")
    assert found.start_us == BEGUN_US
    moment = found.now_us if status == "running" else found.sign_of_life_us
    assert found.until_us == moment


def test_its_record_decides_even_if_a_call_outlives_it(store):
    ended = ConciergeRunRecord(
        start_us=BEGUN_US, end_us=BEGUN_US + SECOND, name="lead", status="failed", error="E: no",
        trace_id="b" * 32, span_id="a" * 16,
    )  # fmt: skip
    found = lie(store, lines(begun()), lines(ended, tool(BEGUN_US, 2000)))
    assert (found.status, found.error, found.at_work_ms) == ("failed", "E: no", 1000)
    assert len(found.records) == 1


@pytest.mark.parametrize("started", [None, b"", b'{"event":"concie', b'{"event":"alert"}\n', b"\0"])
def test_without_a_first_line_it_is_told_as_far_as_it_goes(store, started):
    found = lie(store, started, lines(llm(BEGUN_US, 5, trace_id="c" * 32)) + b"{torn")
    assert (found.status, found.name, found.trace_id) == ("lost", "concierge", "c" * 32)
    assert (found.start_us, found.records.torn, len(found.records)) == (BEGUN_US, True, 1)


@pytest.mark.parametrize(
    "name", ["2025-12-15T04-08-08_nobody", "..", "../commis", "", "1", "x" * 1000, "a\0b"]
)
def test_what_is_no_run_is_not_found(store, name):
    lie(store, lines(begun()))
    with pytest.raises(RunNotFoundError, match="no concierge run"):
        store.concierge(name)


def test_commis_that_are_gone_are_named_and_not_counted(store):
    gone = run(BEGUN_US, 5, name="gone", job_id=3, commis_id="2025-12-15T04-08-08_gone")
    evil = run(BEGUN_US, 5, name="evil", commis_id="../../etc")
    found = lie(store, lines(begun()), lines(gone, evil))
    assert [one.name for one in found.children] == ["gone", "evil"]
    assert (found.commis, found.descendants) == ((), None)


class TestConcierges:
    def test_they_come_latest_first_and_since_a_moment(self, store):
        names = [f"2025-12-15T04-08-0{second}_0123abc{second}" for second in range(5)]
        for name in names:
            lie(store, lines(begun()), name=name)
        store.write_file(store.root / "concierge" / "notes" / "x", b"")
        store.write_file(store.root / "concierge" / "2025.txt", b"")
        assert [one.concierge_id for one in store.concierges()] == names[::-1]
        since = datetime(2025, 12, 15, 4, 8, 3, 900_000, tzinfo=UTC)
        for moment in (since, since.astimezone(), round(since.timestamp() * 1e6)):
            assert [one.concierge_id for one in store.concierges(moment)] == names[:2:-1]
        assert list(store.concierges(since + timedelta(days=1))) == []

    def test_those_of_one_second_come_in_their_order(self, store):
        for number, name in enumerate("cab"):
            started = lines(begun(start_us=BEGUN_US + number))
            lie(store, started, name=f"2025-12-15T04-08-08_{name}")
        assert [one.concierge_id[-1] for one in store.concierges()] == ["b", "a", "c"]

    def test_they_show_themselves_as_a_table(self, store):
        assert repr(store.concierges()) == "No concierge runs."
        lie(store, lines(begun()), lines(llm(BEGUN_US, 5), run(BEGUN_US, 5, commis_id=NAME)))
        head, row = repr(store.concierges()).splitlines()
        assert head.split() == [
            "concierge", "status", "duration", "name", "llm", "tool", "commis",
        ]  # fmt: skip
        assert row.split()[:2] == [NAME, "running"]
        assert row.split()[-4:] == ["lead", "1", "0", "1"]


def test_commis_ids_are_named_without_reading_them(store, make):
    made = [make(f"task {number}").commis_id for number in range(3)]
    for commis_id in made:
        (store.folder(commis_id) / "metadata.json").write_text("{broken")
    assert store.commis_ids() == made[::-1]
    assert store.commis_ids(make.begun_us - SECOND) == made[:1:-1]
    assert type(store)(store.root / "nowhere").commis_ids() == []


def test_what_a_resumed_commis_used_is_shared_out_among_the_runs(store):
    @tool_of
    def ask_human(question: str) -> str:
        """Ask."""
        return interrupt(question)

    def decide(messages):
        return says("42") if messages[-1].type == "tool" else asks("ask_human", question="?")

    inner = create_commis_node(
        commis_agent(decide, repeat=True, tools=[ask_human]), store=store, name="inner"
    )
    outer = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()
    lead = create_commis_node(outer, store=store, name="lead")
    team = (
        StateGraph(MessagesState)
        .add_node("lead", lead)
        .add_edge(START, "lead")
        .compile(checkpointer=InMemorySaver())
    )
    config = {
        "callbacks": [VisibilityCallbackHandler(store)],
        "configurable": {"thread_id": "t"},
    }
    team.invoke({"messages": [("user", "Go")]}, config)
    team.invoke(Command(resume="yes"), config)
    later, first = (run.descendants for run in store.concierges())
    assert (first.jobs, first.llm_calls, first.tool_calls) == (2, 1, 0)
    assert (later.jobs, later.llm_calls, later.tool_calls) == (2, 1, 1)
    assert first.total_tokens + later.total_tokens == 2 * 1323
