"""Scenarios: what fails, and what only looks like a failure."""

from __future__ import annotations

from langchain_core.messages import HumanMessage
from langgraph.errors import GraphRecursionError

from tests.scenarios.expect import call, commis, llm, no_answer
from tests.scenarios.parts import (
    ScriptedModel,
    agent,
    asks,
    broken,
    commands_error,
    double,
    outer,
    ping,
    says_error,
    says_not_ok,
    text_graph,
    unhappy,
)
from tests.scenarios.running import Watch
from tests.scenarios.shapes import spread
from tests.scenarios.table import scenario

ASK = {"messages": [HumanMessage("Calculate 7*6")]}


def with_tool(tool, asked, **options):
    def run(watch: Watch):
        model = ScriptedModel(script=[asked, "done"])
        watch.run(outer(watch.commis(agent(model, tool, **options))), ASK)

    return run


def tool_row(name, tool, error, asked=None, **options):
    """A tool failure that the graph survives."""
    asked = asked or asks(tool.name)
    records = (llm(), call(tool.name, error), llm("synthesis"))
    scenario(name, commis("research", "success", *records))(with_tool(tool, asked, **options))


tool_row("a tool raises and the node handles it", broken, "RuntimeError: the disk is on fire")
tool_row("a tool handles its own exception", unhappy, "no such host")
tool_row("a tool answers with an error message", says_error, "not allowed")
tool_row("a tool answers with a command that holds an error", commands_error, "went wrong")
tool_row("a tool answers with what only looks like a failure", says_not_ok, None)
tool_row(
    "a tool gets arguments that do not fit",
    double,
    "ValidationError: number: Input should be a valid integer, unable to parse string as an "
    "integer (int_parsing)",
    asks(("double", {"number": "hunter2"}, "double-1")),
)

scenario(
    "the model asks for a tool that does not exist",
    commis("research", "success", llm(), llm("synthesis")),
)(with_tool(ping, asks("nothing")))

scenario(
    "a tool raises and the graph fails",
    commis(
        "research",
        "failed",
        llm(),
        call("broken", "RuntimeError: the disk is on fire"),
        error="RuntimeError: the disk is on fire",
    ),
    raises=RuntimeError,
)(with_tool(broken, asks("broken"), handle=False))


@scenario(
    "the model raises",
    commis(
        "research",
        "failed",
        no_answer("initial", "ConnectionError: no route to host"),
        error="ConnectionError: no route to host",
    ),
    raises=ConnectionError,
)
def model_raises(watch: Watch):
    model = ScriptedModel(script=[ConnectionError("no route to host")])
    watch.run(outer(watch.commis(agent(model))), ASK)


@scenario(
    "a node raises",
    commis("research", "failed", error="KeyError: 'absent'"),
    raises=KeyError,
)
def node_raises(watch: Watch):
    watch.run(outer(watch.commis(text_graph(lambda s: {}["absent"]))), ASK)


@scenario(
    "a tool raises TimeoutError, which is no time limit of ours",
    commis("research", "failed", error="TimeoutError: the host is slow"),
    raises=TimeoutError,
)
def node_raises_timeout(watch: Watch):
    def slow(state):
        raise TimeoutError("the host is slow")

    graph = text_graph(slow)
    graph.step_timeout = 30
    watch.run(outer(watch.commis(graph)), ASK)


@scenario(
    "a commis loops until the recursion limit",
    commis(
        "research",
        "failed",
        *[llm(), call("ping")],
        *[llm("tool_decision"), call("ping", attempt=2)],
        error="GraphRecursionError: Recursion limit of 4 reached without hitting a stop condition. "
        "You can increase the limit by setting the `recursion_limit` config key. For "
        "troubleshooting, visit: "
        "https://docs.langchain.com/oss/python/langgraph/errors/GRAPH_RECURSION_LIMIT",
    ),
    raises=GraphRecursionError,
)
def recursion(watch: Watch):
    node = watch.commis(agent(ScriptedModel(script=[asks("ping")]), ping))
    watch.run(outer(node), ASK, {**watch.config(), "recursion_limit": 4})


@scenario(
    "one of five parallel commis fails",
    commis("research", "failed", no_answer("initial", "ValueError: no"), error="ValueError: no"),
    *[commis("research", "success", llm())] * 4,
    raises=ValueError,
    any_order=True,
    kinds=(False,),
)
def one_of_five(watch: Watch):
    # Sync threads run to their end; in an async graph the others are cancelled, see endings.
    import threading

    lock = threading.Lock()
    turns = iter([ValueError("no"), "a", "b", "c", "d"])
    started = threading.Barrier(5)

    def answer():
        started.wait(10)
        with lock:
            line = next(turns)
        if isinstance(line, Exception):
            raise line
        return line

    node = watch.commis(agent(ScriptedModel(script=[answer])))
    watch.run(spread(watch, node, 5), ASK)
