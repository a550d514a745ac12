"""Seeing a graph from all sides, with what differs from run to run taken out."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.types import Interrupt

MODES = ("values", "updates", "custom", "messages", "debug", "tasks", "checkpoints")
EACH_MODE = (*MODES, list(MODES))

_VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # run, task, checkpoint
    r"|\b[0-9a-f]{32}\b"  # interrupts, channel versions
    r"|\b\d{32}\.\d+(\.\d+)?\b"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?"
    r"|0x[0-9a-f]{8,}"
)


def plain(value: Any) -> Any:
    """Give any value as text, lists and dicts."""
    if isinstance(value, str):
        return value
    if isinstance(value, BaseMessage):
        return [type(value).__name__, plain(value.model_dump())]
    if isinstance(value, Interrupt):
        return ["Interrupt", plain(value.value), value.id]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, plain(asdict(value))]
    return repr(value)


def alike(things: Iterable[Any], *, ordered: bool = True) -> list[str]:
    """Make runs comparable: ids and times become numbers in the order in which they appear.

    Where order is left to chance, so is which id comes first; there all ids look the same.
    """
    texts = [str(plain(thing)) for thing in things]
    if not ordered:
        return sorted(_VARIES.sub("<id>", text) for text in texts)
    numbers = itertools.count(1)
    seen: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        text = found.group()
        if "T" in text or text.startswith("0x"):
            return "<time or place>"
        return seen.setdefault(text, f"<id {next(numbers)}>")

    return [_VARIES.sub(name, text) for text in texts]


class Sides:
    """One graph, seen from all sides.

    Args:
        build: Makes the graph, given a checkpointer; called anew for each look.
        inputs: What it is run on, one after the other, on one thread.
        callbacks: Of its config.
        is_async: Whether to run it so.
    """

    def __init__(self, build: Any, inputs: list[Any], callbacks: list[Any], is_async: bool) -> None:
        self._build = build
        self._inputs = inputs
        self._is_async = is_async
        self._config = {"callbacks": callbacks, "configurable": {"thread_id": "t"}}

    def streamed(self, stream_mode: Any, subgraphs: bool) -> list[Any]:
        """All chunks of all runs."""
        graph = self._build(InMemorySaver())
        options = {"stream_mode": stream_mode, "subgraphs": subgraphs}
        if self._is_async:

            async def collect() -> list[Any]:
                return [
                    chunk
                    for given in self._inputs
                    async for chunk in graph.astream(given, self._config, **options)
                ]

            return asyncio.run(collect())
        return [
            chunk
            for given in self._inputs
            for chunk in graph.stream(given, self._config, **options)
        ]

    def events(self) -> list[Any]:
        """All events of `astream_events`."""
        graph = self._build(InMemorySaver())

        async def collect() -> list[Any]:
            return [
                event
                for given in self._inputs
                async for event in graph.astream_events(given, self._config, version="v2")
            ]

        return asyncio.run(collect())

    def states(self) -> list[Any]:
        """What is stored after each run: states, history, and checkpoints of every namespace."""
        saver = InMemorySaver()
        graph = self._build(saver)
        found: list[Any] = []
        for given in self._inputs:
            found.append(self._run(graph, given, self._config))
            found.append(self._state(graph))
        history = self._history(graph)
        found += history
        found.append(f"{len(history)} states")
        found += [_namespace(item.config) for item in saver.list(None)]
        return found

    def replayed(self, update: Any) -> list[Any]:
        """Every checkpoint run again as it is, and once more with another state."""
        saver = InMemorySaver()
        graph = self._build(saver)
        for given in self._inputs:
            self._run(graph, given, self._config)
        found = []
        for snapshot in self._history(graph):
            found.append(self._run(graph, None, {**self._config, **snapshot.config}))
            found.append(self._fork(graph, snapshot.config, update))
            found.append(self._state(graph))
        found.append(f"{len(list(saver.list(None)))} checkpoints")
        return found

    def drawn(self, *, xray: bool) -> str:
        """The drawing, with what is inside of subgraphs or without."""
        return self._build(None).get_graph(xray=xray).draw_mermaid()

    def described(self) -> list[Any]:
        """Schemas, names, channels and settings."""
        graph = self._build(None)
        return [
            graph.get_name(),
            graph.get_input_jsonschema(),
            graph.get_output_jsonschema(),
            graph.get_context_jsonschema(),
            [(name, type(sub).__name__, sub.get_name()) for name, sub in _subgraphs(graph)],
            [
                (sub.get_input_jsonschema(), sub.get_output_jsonschema(), sub.get_graph().to_json())
                for _, sub in _subgraphs(graph)
            ],
        ]

    def _run(self, graph: Any, given: Any, config: Any) -> Any:
        try:
            if self._is_async:
                return asyncio.run(graph.ainvoke(given, config))
            return graph.invoke(given, config)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _fork(self, graph: Any, config: Any, update: Any) -> Any:
        try:
            if self._is_async:
                fork = asyncio.run(graph.aupdate_state(config, update))
            else:
                fork = graph.update_state(config, update)
        except InvalidUpdateError as error:  # from where it is not clear what would come next
            return str(error)
        return self._run(graph, None, {**self._config, **fork})

    def _state(self, graph: Any) -> Any:
        if self._is_async:
            return asyncio.run(graph.aget_state(self._config, subgraphs=True))
        return graph.get_state(self._config, subgraphs=True)

    def _history(self, graph: Any) -> list[Any]:
        if not self._is_async:
            return list(graph.get_state_history(self._config))

        async def collect() -> list[Any]:
            return [snapshot async for snapshot in graph.aget_state_history(self._config)]

        return asyncio.run(collect())


def _namespace(config: Any) -> str:
    return config["configurable"]["checkpoint_ns"]


def _subgraphs(graph: Any) -> list[tuple[str, Any]]:
    return list(graph.get_subgraphs(recurse=True))
