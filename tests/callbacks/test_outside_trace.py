"""A root run is part of the trace around it: OpenTelemetry's, a config's, a server's."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.scenarios.found import by_job, lines
from tests.scripted import calculator, plain_commis, run, says, scripted
from zerg_visibility import VisibilityCallbackHandler, create_commis_node
from zerg_visibility.callbacks.outside import outside_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
RUN_ID = "01a210ae-689f-70e5-866b-e5753c1ea017"
TASK = "Calculate 7*6"

tracer = TracerProvider().get_tracer("tests")


def graph():
    model = scripted(says("42"), repeat=True)
    return plain_commis(lambda state: {"messages": [model.invoke(state["messages"])]})


def concierge_runs(store) -> list[dict]:
    return [line for line in lines(store.root) if line["event"] == "concierge_run"]


def ids(context) -> tuple[str, str]:
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def of_trace(store, trace_id: str) -> list[str]:
    return sorted(path.name for path in (store.root / "traces" / trace_id).iterdir())


# -- which one -------------------------------------------------------------------------------------


def test_opentelemetrys_span_is_first_then_the_config_then_the_server():
    metadata = {"traceparent": TRACEPARENT, "run_id": RUN_ID}
    with tracer.start_as_current_span("request") as span:
        assert outside_trace(metadata) == ids(span.get_span_context())
    assert outside_trace(metadata) == (TRACE, SPAN)
    assert outside_trace({"run_id": RUN_ID}) == (RUN_ID.replace("-", ""), None)
    assert outside_trace({"run_id": UUID(RUN_ID)}) == (RUN_ID.replace("-", ""), None)
    assert outside_trace({}) is None


def test_a_span_that_is_not_sampled_or_is_another_processs_counts_too():
    remote = trace.SpanContext(int(TRACE, 16), int(SPAN, 16), True, trace.TraceFlags(0))
    with trace.use_span(trace.NonRecordingSpan(remote)):
        assert outside_trace({}) == (TRACE, SPAN)
    with trace.use_span(trace.INVALID_SPAN):
        assert outside_trace({}) is None


@pytest.mark.parametrize("later", [f"cc-{TRACE}-{SPAN}-01-what-comes", f"01-{TRACE}-{SPAN}-00"])
def test_a_later_version_of_traceparent_is_read_as_far_as_it_is_known(later):
    assert outside_trace({"traceparent": later}) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-../{TRACE[3:]}-{SPAN}-01",
        f"{TRACEPARENT}\n",
        f" {TRACEPARENT}",
        TRACEPARENT.encode(),
        7,
        None,
    ],
    ids=repr,
)
def test_what_is_no_traceparent_is_passed_over(given):
    assert outside_trace({"traceparent": given, "run_id": RUN_ID}) == (
        RUN_ID.replace("-", ""), None,
    )  # fmt: skip


@pytest.mark.parametrize("given", ["", "7", "0" * 32, 7, None, UUID(int=0), ["x"]], ids=repr)
def test_what_is_no_run_of_a_server_is_passed_over(given):
    assert outside_trace({"run_id": given}) is None


# -- in files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_root_run_hangs_below_the_active_span(is_async, store, handler):
    config = {"callbacks": [handler]}
    given = {"messages": [("user", TASK)]}

    async def request() -> None:
        await graph().ainvoke(given, config)

    with tracer.start_as_current_span("request") as span:
        asyncio.run(request()) if is_async else graph().invoke(given, config)
    trace_id, span_id = ids(span.get_span_context())
    [one] = concierge_runs(store)
    assert (one["trace_id"], one["parent_span_id"]) == (trace_id, span_id)
    assert one["span_id"] != span_id
    assert {line["trace_id"] for line in lines(store.root)} == {trace_id}
    [folder] = (store.root / "concierge").iterdir()
    first = json.loads((folder / "started.jsonl").read_text().splitlines()[0])
    assert (first["event"], first["parent_span_id"]) == ("concierge_run", span_id)
    assert of_trace(store, trace_id) == [one["concierge_id"]]


def test_a_model_that_is_called_on_its_own_hangs_below_it_too(store, handler):
    scripted(says("42")).invoke(
        TASK, {"callbacks": [handler], "metadata": {"traceparent": TRACEPARENT}}
    )
    [call] = lines(store.root)
    assert (call["trace_id"], call["parent_span_id"]) == (TRACE, SPAN)


def test_two_root_runs_in_one_trace_do_not_meet(store, clock):
    handler = VisibilityCallbackHandler(store, clock=clock, raise_error=True)  # in one second
    for _ in range(2):
        run(graph(), TASK, handler, metadata={"traceparent": TRACEPARENT})
    first, second = concierge_runs(store)
    assert first["concierge_id"] != second["concierge_id"]
    assert of_trace(store, TRACE) == sorted([first["concierge_id"], second["concierge_id"]])
    for one in (first, second):
        time, _, digits = one["concierge_id"].partition("_")
        assert (time, digits) == ("2025-12-15T04-08-08", one["span_id"][-8:])


def test_a_root_run_without_anything_outside_begins_a_trace_and_has_no_parent(store, handler):
    run(graph(), TASK, handler)
    [one] = concierge_runs(store)
    assert "parent_span_id" not in one
    assert of_trace(store, one["trace_id"]) == [one["concierge_id"]]


def test_a_run_that_makes_no_call_leaves_nothing(store, handler):
    run(plain_commis(lambda _: {"messages": []}), TASK, handler)
    assert not store.root.exists()


@pytest.mark.parametrize("outside", ["span", "traceparent", "server"])
def test_a_commis_without_a_handler_is_part_of_it_too(outside, store):
    node = create_commis_node(calculator(), store=store)
    trace_id, span_id = TRACE, SPAN
    if outside == "span":
        with tracer.start_as_current_span("request") as span:
            run(node, TASK)
        trace_id, span_id = ids(span.get_span_context())
    elif outside == "traceparent":
        run(node, TASK, metadata={"traceparent": TRACEPARENT})
    else:
        trace_id, span_id = uuid4().hex, None
        run(node, TASK, metadata={"run_id": str(UUID(trace_id))})
    [one] = by_job(store)
    [segment] = one.runs
    assert (one.trace_id, segment.trace_id, segment.parent_span_id) == (trace_id, trace_id, span_id)
    assert {line["trace_id"] for line in lines(store.root)} == {trace_id}


def test_an_opentelemetry_that_fails_costs_its_trace_and_nothing_else(store, monkeypatch):
    def fail():
        raise RuntimeError("half imported")

    monkeypatch.setattr(trace, "get_current_span", fail)
    handler = VisibilityCallbackHandler(store)
    run(graph(), TASK, handler)
    assert [line["status"] for line in concierge_runs(store)] == ["success"]
    assert (handler.stats.failures, handler.stats.dropped_records) == (1, 0)


def test_traces_that_cannot_be_written_cost_nothing_else(store):
    store.root.mkdir()
    (store.root / "traces").write_text("in the way")
    handler = VisibilityCallbackHandler(store)
    run(graph(), TASK, handler)
    assert [line["event"] for line in lines(store.root)] == ["llm_call", "concierge_run"]
    assert (handler.stats.failures, handler.stats.dropped_records) == (1, 0)
