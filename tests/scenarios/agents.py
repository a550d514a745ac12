"""Scenarios: agents that others build for us, as commis and inside of them."""

from __future__ import annotations

import warnings
from typing import Any, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel

from tests.scenarios.expect import call, commis, llm, no_answer
from tests.scenarios.parts import ScriptedModel, ask_human, asks, broken, outer, ping, tool
from tests.scenarios.running import Watch
from tests.scenarios.table import scenario
from zerg_visibility import create_commis_tool

ASK = {"messages": [HumanMessage("Calculate 7*6")]}


def thought(phase: str = "initial", **changes: Any) -> dict[str, Any]:
    """An LLM call of `create_agent`, which names its node "model"."""
    return llm(phase, node="model", **changes)


def working(*tools: Any, script: tuple[Any, ...] = (), **options: Any) -> Any:
    """An agent that calls its tools in turn and then answers."""
    script = script or (*(asks(one.name) for one in tools), "done")
    return create_agent(ScriptedModel(script=list(script)), list(tools), **options)


def consulting(helper: Any, is_async: bool, pass_config: bool) -> Any:
    """A tool that asks another agent, passing its config on or not."""

    @tool
    def consult(config: RunnableConfig) -> str:
        """Ask the helper."""
        return helper.invoke(ASK, *([config] if pass_config else []))["messages"][-1].text

    @tool("consult")
    async def aconsult(config: RunnableConfig) -> str:
        """Ask the helper."""
        state = await helper.ainvoke(ASK, *([config] if pass_config else []))
        return state["messages"][-1].text

    return aconsult if is_async else consult


def _asks_a_helper(pass_config: bool):
    def run(watch: Watch):
        consult = consulting(working(ping, name="helper"), watch.is_async, pass_config)
        watch.run(outer(watch.commis(working(consult, name="main"))), ASK)

    return run


for pass_config in (True, False):
    scenario(
        f"an agent called by a commis's tool, {'with' if pass_config else 'without'} config",
        commis(
            "research",
            "success",
            thought(),
            thought("tool_decision"),
            call("ping"),
            thought("synthesis"),
            call("consult"),
            thought("synthesis"),
        ),
    )(_asks_a_helper(pass_config))


@scenario(
    "an agent that is a commis, called by a commis's tool",
    commis(
        "research",
        "success",
        thought(),
        call("consult"),
        thought("synthesis"),
        children=(commis("tools", "success", thought(), call("ping"), thought("synthesis")),),
    ),
)
def commis_in_a_tool(watch: Watch):
    helper = watch.commis(working(ping, name="helper"))
    consult = consulting(helper, watch.is_async, pass_config=False)
    watch.run(outer(watch.commis(working(consult))), ASK)


@scenario(
    "an agent called by a commis's tool asks a human",
    commis(
        "research",
        "success",
        thought(),
        thought("tool_decision"),
        call("ask_human"),
        thought("synthesis"),
        call("consult"),
        thought("synthesis"),
        segments=2,
    ),
)
def helper_asks_a_human(watch: Watch):
    consult = consulting(working(ask_human), watch.is_async, pass_config=False)
    graph = outer(watch.commis(working(consult)), checkpointer=InMemorySaver())
    config = watch.config(thread_id="t")
    watch.run(graph, ASK, config)
    watch.run(graph, Command(resume="yes"), config)


@scenario(
    "an agent called by a commis's tool fails",
    commis(
        "research",
        "failed",
        thought(),
        thought("tool_decision"),
        call("broken", "RuntimeError: the disk is on fire"),
        call("consult", "RuntimeError: the disk is on fire"),
        error="RuntimeError: the disk is on fire",
    ),
    raises=RuntimeError,
)
def helper_fails(watch: Watch):
    consult = consulting(working(broken), watch.is_async, pass_config=False)
    watch.run(outer(watch.commis(working(consult))), ASK)


@scenario(
    "the model of an agent that a commis's tool calls fails",
    commis(
        "research",
        "failed",
        thought(),
        no_answer(None, "ConnectionError: lost", node="model"),
        call("consult", "ConnectionError: lost"),
        error="ConnectionError: lost",
    ),
    raises=ConnectionError,
)
def helper_model_fails(watch: Watch):
    helper = working(ping, script=(ConnectionError("lost"),))
    consult = consulting(helper, watch.is_async, pass_config=True)
    watch.run(outer(watch.commis(working(consult))), ASK)


def approving(*decisions: dict[str, Any]):
    """A human decides on the calls that the model asks for."""

    def run(watch: Watch):
        asked = asks(*["ping"] * len(decisions))
        middleware = HumanInTheLoopMiddleware(interrupt_on={"ping": True})
        worker = working(ping, script=(asked, "done"), middleware=[middleware])
        graph = outer(watch.commis(worker), checkpointer=InMemorySaver())
        config = watch.config(thread_id="t")
        watch.run(graph, ASK, config)
        watch.run(graph, Command(resume={"decisions": list(decisions)}), config)

    return run


APPROVED, REJECTED = {"type": "approve"}, {"type": "reject", "message": "not today"}

scenario(
    "a human approves a tool call",
    commis("research", "success", thought(), call("ping"), thought("synthesis"), segments=2),
)(approving(APPROVED))

scenario(
    "a human rejects a tool call, which then is none",
    commis("research", "success", thought(), thought("synthesis"), segments=2),
)(approving(REJECTED))

scenario(
    "a human rejects one tool call of two",
    commis(
        "research",
        "success",
        thought(),
        call("ping", tool_call_id="ping-2"),
        thought("synthesis"),
        segments=2,
    ),
)(approving(REJECTED, APPROVED))


@scenario(
    "a human is asked about a tool call and never answers",
    commis("research", "interrupted", thought()),
)
def unanswered(watch: Watch):
    middleware = HumanInTheLoopMiddleware(interrupt_on={"ping": True})
    graph = outer(
        watch.commis(working(ping, middleware=[middleware])), checkpointer=InMemorySaver()
    )
    watch.run(graph, ASK, watch.config(thread_id="t"))


class Verdict(BaseModel):
    """A verdict."""

    good: bool


@scenario(
    # Nothing in LangChain's events tells the schema's tool from any other one that is bound.
    "structured output of create_agent looks like a tool decision",
    commis("research", "success", thought(), call("ping"), thought("tool_decision")),
)
def structured(watch: Watch):
    answer = asks(("Verdict", {"good": True}, "v1"))
    model = ScriptedModel(script=[asks("ping"), answer])
    worker = create_agent(model, [ping], response_format=ToolStrategy(Verdict))
    state = watch.run(outer(watch.commis(worker)), ASK)
    assert [message.name for message in state["messages"][-1:]] == ["Verdict"]


@scenario(
    "a deep agent with a subagent",
    commis(
        "research",
        "success",
        thought(),
        thought("tool_decision"),
        call("ping"),
        thought("synthesis"),
        call("task", tool_call_id="t1"),
        thought("synthesis"),
    ),
)
def deep_agent(watch: Watch):
    from deepagents import create_deep_agent

    helper = {
        "name": "helper",
        "description": "Pings.",
        "system_prompt": "Ping.",
        "tools": [ping],
        "model": ScriptedModel(script=[asks("ping"), "pong"]),
    }
    delegate = asks(("task", {"description": "Ping it", "subagent_type": "helper"}, "t1"))
    model = ScriptedModel(script=[delegate, "done"])
    watch.run(outer(watch.commis(create_deep_agent(model=model, subagents=[helper]))), ASK)


@scenario(
    "a deep agent that writes and reads a file of its own",
    commis(
        "research",
        "success",
        thought(),
        call("write_file", tool_call_id="w1"),
        thought("tool_decision"),
        call("read_file", tool_call_id="r1"),
        thought("synthesis"),
    ),
)
def deep_agent_files(watch: Watch):
    from deepagents import create_deep_agent

    write = asks(("write_file", {"file_path": "/plan.md", "content": "ping"}, "w1"))
    read = asks(("read_file", {"file_path": "/plan.md"}, "r1"))
    model = ScriptedModel(script=[write, read, "done"])
    watch.run(outer(watch.commis(create_deep_agent(model=model))), ASK)


def supervised(*script: Any, agents: list[Any]) -> Any:
    from langgraph_supervisor import create_supervisor

    with warnings.catch_warnings():
        # langgraph-supervisor itself calls the deprecated create_react_agent.
        warnings.simplefilter("ignore", DeprecationWarning)
        return create_supervisor(agents, model=ScriptedModel(script=list(script))).compile()


@scenario(
    "a supervisor and its agent as one commis",
    commis(
        "research",
        "success",
        llm(node="agent"),
        call("transfer_to_alice", tool_call_id="h1"),
        thought("tool_decision"),
        call("ping"),
        thought("synthesis"),
        llm("synthesis", node="agent"),
    ),
)
def supervisor(watch: Watch):
    handoff = asks(("transfer_to_alice", {}, "h1"))
    graph = supervised(handoff, "done", agents=[working(ping, name="alice")])
    watch.run(outer(watch.commis(graph)), ASK)


@scenario(
    "each agent of a supervisor as a commis",
    commis("alice", "success", thought(), call("ping"), thought("synthesis")),
    commis("bob", "success", thought()),
)
def supervisor_of_commis(watch: Watch):
    script = (asks(("transfer_to_alice", {}, "h1")), asks(("transfer_to_bob", {}, "h2")), "done")
    agents = [
        watch.commis(working(ping, name="alice")),
        watch.commis(working(ping, name="bob", script=("nothing to do",))),
    ]
    watch.run(supervised(*script, agents=agents), ASK)


class PlainText(TypedDict):
    text: str


@scenario(
    "a commis tool of a graph whose state is a typing.TypedDict",
    commis("research", "success"),
)
def typed_dict_tool(watch: Watch):
    graph = StateGraph(PlainText).add_node("work", lambda s: {"text": s["text"] + "!"})
    worker = graph.add_edge(START, "work").compile()
    commis_tool = create_commis_tool(worker, name="research", description="r", store=watch.store)
    asked = asks(("research", {"task": "Calculate 7*6"}, "c1"))
    state = watch.run(working(commis_tool, script=(asked, "done")), ASK)
    assert "Calculate 7*6!" in state["messages"][-2].text
