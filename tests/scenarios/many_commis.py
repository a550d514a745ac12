"""Run very many commis at once where few files may be open.

`python -m tests.scenarios.many_commis FOLDER COMMIS FILES`
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from tests.scenarios.parts import ScriptedModel, outer
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_node


async def run(store: CommisStore, handler: VisibilityCallbackHandler, count: int) -> None:
    """Have all commis call a model at the same moment: none goes on before the last has come."""
    arrived = 0
    everybody = asyncio.Event()
    model = ScriptedModel(script=["fine"])

    async def think(state: MessagesState) -> Any:
        nonlocal arrived
        first = await model.ainvoke("first")
        arrived += 1
        if arrived == count:
            everybody.set()
        await everybody.wait()
        await model.ainvoke("second")
        return {"messages": [first]}

    worker = StateGraph(MessagesState).add_node("think", think).add_edge(START, "think").compile()
    graph = outer(create_commis_node(worker, store=store))
    ask = {"messages": [HumanMessage("Calculate 7*6")]}
    config = {"callbacks": [handler]}
    await asyncio.gather(*(graph.ainvoke(ask, config) for _ in range(count)))


def main(root: Path, count: int, files: int) -> None:
    """Run them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    store = CommisStore(root)
    handler = VisibilityCallbackHandler(store)
    asyncio.run(run(store, handler, count))
    print(handler.stats)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
