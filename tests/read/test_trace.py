"""`store.trace(...)`: everything in one trace, found from any id."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from tests.cli.samples import SECOND, llm, run, start, tool
from tests.processes import python
from tests.scripted import asks, calculator, commis_agent, says
from zerg_visibility import (
    RunNotFoundError,
    VisibilityCallbackHandler,
    create_commis_node,
    create_commis_tool,
)
from zerg_visibility.clock import format_us
from zerg_visibility.store.runs import SegmentRun

TRACE = "a" * 32


def nested(store) -> None:
    """A concierge that starts a commis that starts another."""
    inner = create_commis_tool(calculator(), name="inner", description="Counts.", store=store)
    outer = create_commis_tool(
        commis_agent(asks("inner", task="7*6"), says("42"), tools=[inner]),
        name="outer", description="Has it counted.", store=store,
    )  # fmt: skip
    lead = commis_agent(asks("outer", task="Find 7*6"), says("It is 42."), tools=[outer])
    handler = VisibilityCallbackHandler(store)
    lead.invoke({"messages": [("user", "Go")]}, {"callbacks": [handler], "run_name": "lead"})


def test_it_is_one_tree_from_whichever_id(store):
    nested(store)
    calculator().invoke(
        {"messages": [("user", "Another")]}, {"callbacks": [VisibilityCallbackHandler(store)]}
    )
    outer, inner = sorted(store.recent(), key=lambda one: one.job_id or 0)
    trace = store.trace(1)
    assert trace.trace_id == outer.trace_id
    assert [one.concierge_id for one in trace.concierges] == [outer.concierge_id]
    assert [one.commis_id for one in trace.commis] == [outer.commis_id, inner.commis_id]
    assert trace.complete
    names = {span.span_id: span.name for span in trace.spans}
    [root] = [span for span in trace.spans if span.parent_span_id is None]
    assert (root.kind, root.name, root.status) == ("concierge", "lead", "success")
    assert trace.spans[0] == root
    assert {(span.name, names[span.parent_span_id]) for span in trace.spans if span != root} == {
        ("gpt-5-mini", "lead"), ("outer", "lead"), ("outer", "outer"), ("gpt-5-mini", "outer"),
        ("inner", "outer"), ("inner", "inner"), ("gpt-5-mini", "inner"), ("multiply", "inner"),
    }  # fmt: skip
    assert len(names) == len(trace.spans) == 1 + 3 + 2 + 3 + 3
    assert {span.status for span in trace.spans} == {"success"}
    for any_id in ("1", 2, outer.commis_id, inner.commis_id, outer.concierge_id, outer.trace_id):
        assert store.trace(any_id).to_dict() == trace.to_dict()
    html = trace._repr_html_()
    assert html.count("<tr>") == 13
    assert "<tr><td>concierge</td><td>lead</td><td>success</td><td>" in html
    assert repr(trace) == f"<Trace {outer.trace_id}: 1 concierge run, 2 commis, 12 spans>"


def test_a_trace_id_leads_to_the_roots_that_are_noted_under_it(store, make):
    made = make(records=lambda t: [tool(t, 5, trace_id=TRACE)], trace_id=TRACE)
    make(trace_id="b" * 32)
    with pytest.raises(RunNotFoundError, match=f"no trace '{TRACE}'"):
        store.trace(TRACE)
    for name in (made.commis_id, "2025-12-15T04-08-08_pruned", "no-id-of-ours"):
        store.write_file(store.root / "traces" / TRACE / name, b"")
    assert [one.commis_id for one in store.trace(TRACE).commis] == [made.commis_id]
    assert [span.kind for span in store.trace(TRACE).spans] == ["tool_call"]


def test_only_the_segments_of_this_trace_are_in_it(store, make):
    t, other = make.begun_us, "b" * 32
    made = make(
        records=lambda t: [
            llm(t, 1000, trace_id=TRACE),
            llm(t + 10 * SECOND, 1000, trace_id=other, success=False, error="E: no"),
        ],
        starts=lambda t: [
            start(t + SECOND, "tool_call", "ask_human", "c" * 16),
            start(t + 11 * SECOND, "tool_call", "later", "d" * 16),
        ],
        trace_id=TRACE,
        status="failed",
        error="E: no",
        segments=2,
        segment_started_at=format_us(t + 10 * SECOND),
        runs=(
            SegmentRun(span_id="1" * 16, trace_id=TRACE, start_ts=format_us(t),
                       end_ts=format_us(t + 2 * SECOND), status="interrupted"),
            SegmentRun(span_id="2" * 16, trace_id=other, start_ts=format_us(t + 10 * SECOND),
                       end_ts=format_us(t + 12 * SECOND), status="failed"),
        ),
    )  # fmt: skip
    store.write_file(store.root / "traces" / other / made.commis_id, b"")
    assert [
        (span.kind, span.name, span.status, span.end_us and (span.end_us - t) // SECOND, span.error)
        for span in store.trace(1).spans
    ] == [
        ("commis", "research", "interrupted", 2, None),
        ("llm_call", "gpt-5-mini", "success", 1, None),
        ("tool_call", "ask_human", "stopped", 2, None),
    ]
    assert [
        (span.kind, span.name, span.status, span.end_us and (span.end_us - t) // SECOND, span.error)
        for span in store.trace(other).spans
    ] == [
        ("commis", "research", "failed", 12, "E: no"),
        ("llm_call", "gpt-5-mini", "failed", 11, "E: no"),
        ("tool_call", "later", "stopped", 12, None),
    ]


def test_a_resumed_commis_has_a_trace_for_each_turn(store):
    def ask(state: MessagesState):
        return {"messages": [("ai", interrupt("May I?"))]}

    worker = StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").compile()
    graph = StateGraph(MessagesState).add_node("research", create_commis_node(worker, store=store))
    team = graph.add_edge(START, "research").compile(checkpointer=InMemorySaver())
    config = {
        "callbacks": [VisibilityCallbackHandler(store)],
        "configurable": {"thread_id": "t"},
    }
    team.invoke({"messages": [("user", "Go")]}, config)
    [waiting] = store.trace(1).spans[1:]
    assert (waiting.kind, waiting.status) == ("commis", "interrupted")
    team.invoke(Command(resume="yes"), config)
    later, first = store.concierges()
    assert store.trace(1).trace_id == store.trace(first.concierge_id).trace_id
    assert [(span.kind, span.status) for span in store.trace(first.concierge_id).spans] == [
        ("concierge", "interrupted"), ("commis", "interrupted"),
    ]  # fmt: skip
    assert [(span.kind, span.status) for span in store.trace(later.concierge_id).spans] == [
        ("concierge", "success"), ("commis", "success"),
    ]  # fmt: skip


def test_other_commis_are_not_looked_at(store, make):
    for number in range(30):
        make(f"other {number}", trace_id="b" * 32)
    inner = make("inner", trace_id=TRACE)
    outer = make("outer", lambda t: [run(t, 5, commis_id=inner.commis_id)], trace_id=TRACE)
    code = """
        import sys
        opened = []
        from zerg_visibility import CommisStore
        def note(event, args):
            if event == "open" and str(args[0]).endswith("metadata.json"):
                opened.append(args[0])
        sys.addaudithook(note)
        print(len(CommisStore(sys.argv[1]).trace(sys.argv[2]).commis), len(opened))
    """
    # The first of them is looked up once more, to learn its trace.
    assert python(code, store.root, outer.commis_id) == "2 3\n"


@pytest.mark.parametrize("any_id", ["99", 99, "nobody", "..", "", "c" * 32, "\0"])
def test_an_unknown_id_says_so(store, make, any_id):
    make()
    with pytest.raises(RunNotFoundError):
        store.trace(any_id)


def test_one_whose_metadata_cannot_be_read_has_the_trace_of_its_calls(store, make):
    made = make(records=lambda t: [llm(t, 5, trace_id=TRACE)], trace_id=TRACE)
    (store.folder(made.commis_id) / "metadata.json").write_text("{broken")
    found = store.trace(1)
    assert found.trace_id == TRACE
    assert [span.kind for span in found.spans] == ["llm_call"]
