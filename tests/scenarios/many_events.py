"""Drive one handler with very many events that end in all ways, and measure what stays behind.

`python -X tracemalloc -m tests.scenarios.many_events FOLDER EVENTS` prints by how many bytes
memory has grown.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManager
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from tests.scenarios.parts import ScriptedModel, agent, asks, broken, outer, ping
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node

ANSWER = LLMResult(generations=[[ChatGeneration(message=AIMessage("42"))]])
MODEL, TOOL = {"name": "model"}, {"name": "tool"}
STEPS = 10


class Driver:
    """Sends events as LangChain does, and counts them."""

    def __init__(self, handler: VisibilityCallbackHandler) -> None:
        self._manager = CallbackManager(handlers=[handler], inheritable_handlers=[handler])
        self.events = 0

    def chain(self, above: Any = None) -> Any:
        """Start a run; a root if nothing is above it."""
        self.events += 2
        manager = self._manager if above is None else above.get_child()
        return manager.on_chain_start({}, {}, name="graph")

    def model(self, above: Any) -> Any:
        """Start a call of a model."""
        self.events += 2
        return above.get_child().on_chat_model_start(MODEL, [[HumanMessage("?")]])[0]

    def tool(self, above: Any) -> Any:
        """Start a call of a tool."""
        self.events += 2
        return above.get_child().on_tool_start(TOOL, "{}")

    def run(self, end: Any, error: BaseException | None) -> None:
        """One root run with several nodes, each of which calls a model and a tool."""
        root = self.chain()
        for _ in range(STEPS):
            node = self.chain(root)
            end(self.model(node), self.tool(node))
            node.on_chain_end({}) if error is None else node.on_chain_error(error)
        root.on_chain_end({}) if error is None else root.on_chain_error(error)

    def all_well(self) -> None:
        """Everything ends as it should."""

        def end(model: Any, tool: Any) -> None:
            model.on_llm_end(ANSWER)
            tool.on_tool_end("done")

        self.run(end, None)

    def errors(self) -> None:
        """Everything fails."""
        error = RuntimeError("no")

        def end(model: Any, tool: Any) -> None:
            model.on_llm_error(error)
            tool.on_tool_error(error)

        self.run(end, error)

    def cancelled(self) -> None:
        """Calls that were cancelled get no end at all."""
        self.run(lambda model, tool: None, asyncio.CancelledError())
        self.events -= 2 * STEPS

    def left_open(self) -> None:
        """A root ends before what is inside of it; some of that ends late."""
        root = self.chain()
        nodes = [self.chain(root) for _ in range(STEPS)]
        calls = [(self.model(node), self.tool(node)) for node in nodes]
        root.on_chain_end({})
        for model, _ in calls:
            model.on_llm_end(ANSWER)
        self.events -= 2 * STEPS


def main(root: Path, wanted: int) -> int:
    """Warm up, send the events, and give by how many bytes memory has grown."""
    store = CommisStore(root)
    handler = VisibilityCallbackHandler(store, raise_error=True)
    driver = Driver(handler)
    script = [asks("ping"), asks("broken"), "done"]
    config = {"callbacks": [handler]}

    def graphs() -> None:
        model = ScriptedModel(script=script)
        node = create_commis_node(agent(model, ping, broken), store=store)
        outer(node).invoke({"messages": [HumanMessage("?")]}, config)
        driver.events += 30

    def send(events: int) -> None:
        until = driver.events + events
        while driver.events < until:
            for _ in range(10):
                driver.all_well()
                driver.errors()
                driver.cancelled()
                driver.left_open()
            graphs()

    assert tracemalloc.is_tracing(), "run it with -X tracemalloc, to count what is replaced too"
    send(10_000)  # as many runs as are remembered, and more
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    send(wanted)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    assert handler.open_runs == 0
    assert handler.stats.failures == 0
    return after - before


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2])))
