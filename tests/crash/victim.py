"""Twenty commis at work for ever, and a file that says what has happened.

`python -m tests.crash.victim TRUTH WATCH [WHERE]`, to be killed. TRUTH gets a line
`begun ID` when a model or tool is at work, and `done ID` when its call has returned to the node: by
then every callback handler has seen its end. WATCH names who watches; see `WATCHERS`.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import Send

from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node
from zerg_visibility.testing import ScriptedChatModel

COMMIS = 20
USAGE = {"input_tokens": 1234, "output_tokens": 89, "total_tokens": 1323}

Watch = Callable[[Any], tuple[Any, list[Any]]]
"""Takes the graph of a commis; gives what is to run as a node, and the callbacks."""


class Work(TypedDict, total=False):
    """The state of the concierge and of each commis."""

    task: str
    turn: int


def ours(root: str) -> Watch:
    """Watch with this package."""
    store = CommisStore(root)
    handler = VisibilityCallbackHandler(store)
    return lambda graph: (create_commis_node(graph, store=store), [handler])


WATCHERS = {"ours": "tests.crash.victim:ours"}
"""Functions that make a watch; `module:function` can be given directly, too."""


def spend_time() -> None:
    """Take as long as a quick model or tool."""
    time.sleep(random.uniform(0.001, 0.01))


def concierge(commis: Any) -> Any:
    """Start all commis at once."""

    def all_of_them(state: Work) -> list[Send]:
        return [Send("research", {"task": f"task {n}", "turn": 0}) for n in range(COMMIS)]

    builder = StateGraph(Work).add_node("research", commis)
    return builder.add_conditional_edges(START, all_of_them, ["research"]).compile()


def endless(tell: Callable[[str, str], None]) -> Any:
    """Make a commis that asks its model and uses its tool in turn, and never stops."""

    def answer(messages: list[BaseMessage]) -> AIMessage:
        tell("begun", messages[-1].text)
        spend_time()
        return AIMessage("fine", usage_metadata=USAGE)

    @tool
    def ping(mark: str) -> str:
        """Take a moment."""
        tell("begun", mark)
        spend_time()
        return "pong\n" * 100

    model = ScriptedChatModel(script=[answer], repeat=True)

    def ask(state: Work) -> Work:
        run_id = uuid4()
        model.invoke([HumanMessage(run_id.hex[16:])], {"run_id": run_id})
        tell("done", run_id.hex[16:])
        return {"turn": state["turn"] + 1}

    def use(state: Work) -> Work:
        run_id = uuid4()
        ping.invoke({"mark": run_id.hex[16:]}, {"run_id": run_id})
        tell("done", run_id.hex[16:])
        return {}

    builder = StateGraph(Work).add_node("ask", ask).add_node("use", use)
    return builder.add_edge(START, "ask").add_edge("ask", "use").add_edge("use", "ask").compile()


def main(truth: str, watch: str, *where: str) -> None:
    """Work until killed."""
    fd = os.open(truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    module, _, function = WATCHERS.get(watch, watch).partition(":")
    watched = getattr(importlib.import_module(module), function)(*where)
    commis, callbacks = watched(endless(lambda what, mark: _append(fd, f"{what} {mark}\n")))
    concierge(commis).invoke(
        {}, {"callbacks": callbacks, "max_concurrency": COMMIS, "recursion_limit": 10**9}
    )


def _append(fd: int, line: str) -> None:
    os.write(fd, line.encode())


if __name__ == "__main__":
    assert Path("tests/crash").is_dir(), "run it from the repository"
    main(*sys.argv[1:])
