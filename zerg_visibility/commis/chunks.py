"""Telling which chunk of a graph's stream is its state, and making another like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zerg_visibility.commis.options import Output
from zerg_visibility.store.metadata import CommisMetadata

STATE_MODE = "values"


class StateChunk:
    """The latest chunk of a stream that holds the graph's own whole state.

    The stream is described as LangGraph's `Pregel.stream` takes it; `change` makes the new state.
    """

    def __init__(self, change: Output, stream_mode: Any, *, subgraphs: bool, version: str) -> None:
        self._change = change
        self._several = not isinstance(stream_mode, str)
        self._watched = STATE_MODE in stream_mode if self._several else stream_mode == STATE_MODE
        self._subgraphs = subgraphs
        self._dicts = version == "v2"
        self._chunk: Any = None

    def see(self, chunk: Any) -> None:
        """Look at one chunk of the stream."""
        if self._watched and self._is_state(chunk):
            self._chunk = chunk

    @property
    def found(self) -> bool:
        """Whether the state was seen."""
        return self._chunk is not None

    def changed(self, metadata: CommisMetadata) -> Any:
        """Make a chunk of the same form with the state that is to take the place of the last."""
        chunk, change = self._chunk, self._change
        if self._dicts:
            return {**chunk, "data": change(chunk["data"], metadata)}
        if self._several or self._subgraphs:
            return (*chunk[:-1], change(chunk[-1], metadata))
        return change(chunk, metadata)

    def _is_state(self, chunk: Any) -> bool:
        if self._dicts:
            return isinstance(chunk, Mapping) and chunk["type"] == STATE_MODE and not chunk["ns"]
        if self._subgraphs and chunk[0]:
            return False  # a namespace: this chunk is a subgraph's
        return not self._several or chunk[-2] == STATE_MODE
