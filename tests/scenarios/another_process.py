"""One step of a story that goes on in another process.

`python -m tests.scenarios.another_process STEP FOLDER`; each step is a process of its own, with its
own graph on the same SQLite file and the same store. It prints the time before and after it ran.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from tests.scenarios.parts import ScriptedModel, agent, ask_human, asks, outer, tool
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node

ASK = {"messages": [HumanMessage("Calculate 7*6")]}


@tool
def hang() -> str:
    """Wait for somebody to say something, who never does."""
    print("in the tool", flush=True)
    return sys.stdin.readline()


@tool("hang")
def answer() -> str:
    """Answer at once."""
    return "pong"


STEPS: dict[str, tuple[list[Any], Any, Any]] = {
    "ask": ([asks("ask_human")], ask_human, ASK),
    "resume": (["done"], ask_human, Command(resume="yes")),
    "hang": ([asks("hang")], hang, ASK),
    "again": (["done"], answer, None),
}


def main(step: str, folder: Path) -> None:
    """Run one step."""
    script, one_tool, given = STEPS[step]
    store = CommisStore(folder / "data")
    connection = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
    graph = outer(
        create_commis_node(agent(ScriptedModel(script=script), one_tool), store=store),
        checkpointer=SqliteSaver(connection),
    )
    handler = VisibilityCallbackHandler(store, raise_error=True)
    config = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
    print(time.time_ns(), flush=True)
    # Else the last checkpoint before a SIGKILL may not be written yet, and more would be repeated.
    graph.invoke(given, config, durability="sync")
    print(time.time_ns(), flush=True)
    connection.close()
    assert handler.open_runs == 0


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
