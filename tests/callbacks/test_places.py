"""Where a call was made: in which commis, by which agent, in which branch of its graph."""

from __future__ import annotations

import re

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send

from tests.scripted import (
    asks,
    calculator,
    commis_agent,
    concierge,
    json_lines,
    run,
    says,
    scripted,
)
from zerg_visibility import LLMCallRecord, MemorySink, VisibilityCallbackHandler, create_commis_node

PART = r"[a-z]+:[0-9a-f]{8}"


def watched(store) -> tuple[VisibilityCallbackHandler, MemorySink]:
    sink = MemorySink()
    return VisibilityCallbackHandler(store, sinks=[sink]), sink


def fan_out(model, branches: int):
    """A graph whose one node runs once a branch, and calls a model."""
    builder = StateGraph(MessagesState)
    builder.add_node("ask", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_conditional_edges(
        START, lambda _: [Send("ask", {"messages": [("user", f"{n}")]}) for n in range(branches)]
    )
    return builder.compile()


def test_branches_that_are_no_commis_are_told_apart_below_their_commis(store):
    handler, sink = watched(store)
    graph = fan_out(scripted(*[says("Yes.")] * 4), 4)
    run(create_commis_node(graph, store=store, name="research"), "Ask.", handler)

    calls = [record for record in sink.records if isinstance(record, LLMCallRecord)]
    places = {record.ns for record in calls}
    assert len(places) == 4
    assert all(re.fullmatch(PART, place) and place.startswith("ask:") for place in places)
    assert {record.commis_name for record in calls} == {"research"}
    started = json_lines(store.folder(store.find(1)) / "started.jsonl")
    assert {line["ns"] for line in started} == places


def test_a_call_of_the_concierge_has_its_place_below_the_root(store):
    handler, sink = watched(store)
    run(fan_out(scripted(says("Yes.")), 1), "Ask.", handler)
    [call] = [record for record in sink.records if isinstance(record, LLMCallRecord)]
    assert re.fullmatch(PART, call.ns)
    assert (call.commis_name, call.agent) == (None, None)


def test_a_commis_that_a_tool_starts_has_places_of_its_own(store):
    handler, sink = watched(store)
    graph = concierge(
        asks("research", task="Calculate 7*6"), says("42."), store=store, commis=calculator()
    )
    run(graph, "What is 7*6?", handler)
    inner = [record for record in sink.records if getattr(record, "commis_id", None)]
    calls = [record for record in inner if record.event != "commis_run"]
    assert len(calls) == 3
    for record in calls:
        assert re.fullmatch(PART, record.ns)
        assert record.commis_name == "research"


def test_a_call_knows_the_agent_and_the_provider_that_langchain_names(store):
    handler, sink = watched(store)

    @tool
    def look() -> str:
        """Look."""
        return "seen"

    agent = create_agent(scripted(asks("look"), says("Done.")), [look], name="scout")
    run(create_commis_node(agent, store=store), "Look.", handler)
    calls = [record for record in sink.records if record.event != "commis_run"]
    inside = [record for record in calls if record.event != "concierge_run"]
    assert {record.agent for record in inside} == {"scout"}
    assert {record.provider for record in inside if record.event == "llm_call"} == {
        "scriptedchatmodel"
    }


def test_an_agent_in_a_tool_of_a_commis_is_deeper_in_it(store):
    handler, sink = watched(store)
    inner = commis_agent(says("Inner."), tools=())

    @tool
    def delegate() -> str:
        """Delegate."""
        return inner.invoke({"messages": [("user", "Go.")]})["messages"][-1].text

    outer = commis_agent(asks("delegate"), says("Done."), tools=[delegate])
    run(create_commis_node(outer, store=store), "Go.", handler)
    places = [record.ns for record in sink.records if isinstance(record, LLMCallRecord)]
    assert [len(place.split("|")) for place in places] == [1, 2, 1]
    assert re.fullmatch(rf"tools:[0-9a-f]{{8}}\|{PART}", places[1])
