"""Scenarios: interrupts, resumes, handoffs."""

from __future__ import annotations

import sqlite3

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Send, interrupt

from tests.scenarios.expect import call, commis, llm
from tests.scenarios.parts import (
    START,
    MessagesState,
    ScriptedModel,
    StateGraph,
    agent,
    ask_human,
    asks,
    outer,
    ping,
    tool,
)
from tests.scenarios.running import Watch
from tests.scenarios.table import scenario
from zerg_visibility import create_commis_tool

ASK = {"messages": [HumanMessage("Calculate 7*6")]}


def asking(**options):
    return agent(ScriptedModel(script=[asks("ask_human"), "done"]), ask_human, **options)


ASKED = commis("research", "success", llm(), call("ask_human"), llm("synthesis"), segments=2)


@scenario("an interrupt in a tool that nobody answers", commis("research", "interrupted", llm()))
def interrupted(watch: Watch):
    watch.run(
        outer(watch.commis(asking()), checkpointer=InMemorySaver()),
        ASK,
        watch.config(thread_id="t"),
    )


@scenario("an interrupt in a tool, answered", ASKED)
def answered(watch: Watch):
    graph = outer(watch.commis(asking()), checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, Command(resume="yes"), config)


def pausing(*questions):
    """A graph whose one node calls a model, asks a human and goes on."""
    model = ScriptedModel(script=["thought"])

    def work(state):
        answers = [interrupt(question) for question in questions]
        return {"messages": [model.invoke(str(answers))]}

    async def awork(state):
        answers = [interrupt(question) for question in questions]
        return {"messages": [await model.ainvoke(str(answers))]}

    def build(watch: Watch):
        builder = StateGraph(MessagesState).add_node("work", awork if watch.is_async else work)
        return builder.add_edge(START, "work").compile()

    return build


@scenario(
    "two interrupts in a row in a node",
    commis("research", "success", llm(node="work"), segments=3),
)
def two_in_a_row(watch: Watch):
    graph = outer(watch.commis(pausing("one?", "two?")(watch)), checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, Command(resume="1"), config)
    watch.run(graph, Command(resume="2"), config)


@scenario(
    "an interrupt in a nested commis",
    commis(
        "outer",
        "success",
        segments=2,
        children=(commis("research", "success", llm(node="work"), segments=2),),
    ),
)
def nested_interrupt(watch: Watch):
    inner = watch.commis(outer(watch.commis(pausing("may I?")(watch))))
    graph = outer(inner, name="outer", checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, Command(resume="1"), config)


@scenario(
    "a static interrupt_before inside the commis",
    commis("research", "success", llm(), call("ping"), llm("synthesis"), segments=2),
)
def interrupt_before(watch: Watch):
    worker = agent(ScriptedModel(script=[asks("ping"), "done"]), ping, interrupt_before=["tools"])
    graph = outer(watch.commis(worker), checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, None, config)


@scenario(
    "a commis that runs on its own, interrupted and resumed",
    ASKED.__class__("LangGraph", "success", ASKED.records, segments=2),
)
def on_its_own(watch: Watch):
    node = watch.commis(asking(checkpointer=InMemorySaver()))
    config = watch.config(thread_id="t")
    watch.run(node, ASK, config)
    watch.run(node, Command(resume="yes"), config)


@scenario("an interrupt in a commis tool, answered", ASKED)
def tool_answered(watch: Watch):
    commis_tool = create_commis_tool(asking(), name="research", description="r", store=watch.store)
    start = asks(("research", {"task": "Calculate 7*6"}, "c1"))
    graph = agent(ScriptedModel(script=[start, "done"]), commis_tool, checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, Command(resume="yes"), config)


@scenario(
    "two commis by Send, both interrupted, answered one by one",
    commis("research", "success", llm(node="work"), segments=2),
    commis("research", "success", llm(node="work"), segments=3),
    any_order=True,
)
def answered_one_by_one(watch: Watch):
    builder = StateGraph(MessagesState).add_node("research", watch.commis(pausing("?")(watch)))
    builder.add_conditional_edges(START, lambda s: [Send("research", s), Send("research", s)])
    graph = builder.compile(checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    first = graph.get_state(config).tasks[0].interrupts[0].id
    watch.run(graph, Command(resume={first: "yes"}), config)
    second = graph.get_state(config).tasks[1].interrupts[0].id
    watch.run(graph, Command(resume={second: "yes"}), config)


@tool
def hand_over() -> Command:
    """Hand over to another node of the parent graph."""
    return Command(goto="next", graph=Command.PARENT, update={})


@scenario(
    "a commis left by handoff",
    commis("research", "success", llm(), call("hand_over")),
    commis("next", "success", llm()),
)
def handoff(watch: Watch):
    worker = agent(ScriptedModel(script=[asks("hand_over")]), hand_over)
    builder = StateGraph(MessagesState)
    builder.add_node("research", watch.commis(worker), destinations=("next",))
    builder.add_node("next", watch.commis(agent(ScriptedModel(script=["fine"]))))
    watch.run(builder.add_edge(START, "research").compile(), ASK)


@scenario(
    "an interrupt answered after the graph was built anew, from SQLite", ASKED, kinds=(False,)
)
def sqlite_resume(watch: Watch):
    from langgraph.checkpoint.sqlite import SqliteSaver

    path = watch.store.root / "checkpoints.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    config = watch.config(thread_id="t")
    for given in (ASK, Command(resume="yes")):
        connection = sqlite3.connect(path, check_same_thread=False)
        model = ScriptedModel(script=[asks("ask_human")] if given is ASK else ["done"])
        graph = outer(watch.commis(agent(model, ask_human)), checkpointer=SqliteSaver(connection))
        watch.run(graph, given, config)
        connection.close()
