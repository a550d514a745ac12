"""create_commis_node: the graph itself, watched.

The node is not a function around the graph but a copy of the graph whose class overrides `stream`
and `astream`, through which `invoke` and `ainvoke` go as well. So drawings, subgraph discovery,
every stream mode, interrupts and time travel see the graph that they would have seen without us.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Generator, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis.chunks import STATE_MODE, StateChunk
from zerg_visibility.commis.opening import open_segment, shared_handler
from zerg_visibility.commis.options import CAPTURES, CommisOptions, Output, Owner
from zerg_visibility.commis.segment import Segment
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import ConfigurationError
from zerg_visibility.labels import Labels
from zerg_visibility.redaction import Redact

if TYPE_CHECKING:
    _Graph = Pregel[Any, Any, Any, Any]
else:
    _Graph = object

GraphT = TypeVar("GraphT", bound=Pregel[Any, Any, Any, Any])

segment_begun: ContextVar[Callable[[Segment], None] | None] = ContextVar(
    "zerg_visibility_segment_begun", default=None
)
"""Told of the next segment that begins; how a commis tool learns which commis it started."""


def create_commis_node(
    graph: GraphT,
    *,
    store: CommisStore | None = None,
    name: str | None = None,
    task: Callable[[Any], str] | None = None,
    result: Callable[[Any], str] | None = None,
    output: Output | None = None,
    owner_id: Owner = None,
    capture: Collection[str] = CAPTURES,
    redact: Redact | None = None,
    labels: Labels | None = None,
    handler: VisibilityCallbackHandler | None = None,
) -> GraphT:
    """Make a commis of a compiled graph: a node that behaves like the graph, and is measured.

    State updates, streams, interrupts, drawings, time travel, retries and cancellation are as if
    the graph itself were the node. It is watched with or without a handler in the config.

    Args:
        graph: A compiled graph; it is not changed.
        store: Where its directories go; the handler's store if none is given.
        name: What to call it; the name of its node if none is given.
        task: Gives the task from the graph's input; by default the last human message, else the
            first text in the input.
        result: Gives the result from the graph's output; by default the last answer of the model,
            else what the graph changed.
        output: Changes the update that the outer graph gets, given the update and the commis's
            metadata; see `report_job`. What it raises reaches the outer graph.
        owner_id: Whose commis it is, or a function that tells it from the run's config; a toolkit
            with another owner does not see it.
        capture: What is stored beside metrics, of "result", "messages", "tool_inputs",
            "tool_outputs", "starts". Arguments of tools stand where starts do.
        redact: Applied to every text before it is stored or logged.
        labels: What to call its runs, for comparing them with others, as in {"variant": "b"}; they
            count for more than those of the run that it is part of.
        handler: The handler to use if the run has none. Without it, all such commis of a store
            share one.

    Returns:
        A graph of the same class, for `builder.add_node(name, ...)` or to be invoked directly.

    Raises:
        ConfigurationError: `graph` is not a compiled graph or is a commis already, or another
            argument cannot be used.
    """
    options = CommisOptions(
        store=store,
        name=name,
        task=task,
        result=result,
        output=output,
        owner_id=owner_id,
        capture=capture,
        redact=redact,
        labels=labels,
        handler=handler,
    )
    if store is None and handler is None:
        CommisStore()  # what is wrong with its name is said now
    if hasattr(graph, "compile") and not isinstance(graph, Pregel):
        raise ConfigurationError(
            f"this {type(graph).__name__} is not compiled yet; "
            f"use create_commis_node(builder.compile())"
        )
    if not isinstance(graph, Pregel):
        raise ConfigurationError(
            f"a commis is made of a compiled LangGraph graph, not of a {type(graph).__name__}; "
            f"put it into a StateGraph of one node and compile that"
        )
    if isinstance(graph, WatchedGraph):
        raise ConfigurationError(
            "this graph is a commis already; pass the graph that create_commis_node was given"
        )
    base = type(graph)
    # The settings sit on the class: LangGraph hands the instance's __dict__ to constructors.
    same = {name: getattr(base, name) for name in ("__module__", "__qualname__", "__doc__")}
    own = {"commis_options": options, "commis_fallback": handler}
    watched = type(base.__name__, (WatchedGraph, base), {**same, **own})
    # A shallow copy, as copy.copy makes it, but of the other class.
    node: GraphT = object.__new__(watched)
    vars(node).update(vars(graph))
    return node


class WatchedGraph(_Graph):
    """Adds to a compiled graph that each of its runs is a commis."""

    commis_options: ClassVar[CommisOptions]
    commis_fallback: ClassVar[VisibilityCallbackHandler | None]

    @property
    def commis_handler(self) -> VisibilityCallbackHandler:
        """The handler to use if the run has none; found when it is first needed."""
        handler = self.commis_fallback or shared_handler(self.commis_options.store)
        type(self).commis_fallback = handler
        return handler

    def stream(
        self,
        input: Any,  # noqa: A002 - LangGraph's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Stream the graph, as a segment of a commis."""
        segment = self._open(input, config)
        if segment is None:
            yield from super().stream(input, config, **kwargs)
            return
        chunks = cast("Generator[Any, None, None]", super().stream(input, segment.config, **kwargs))
        latest = self._state_chunk(config, kwargs)
        raised: BaseException | None = None
        try:
            while True:
                with segment.active:
                    try:
                        chunk = next(chunks)
                    except StopIteration:
                        break
                if latest is not None:
                    latest.see(chunk)
                yield chunk
        except BaseException as error:
            raised = error
            with segment.active:
                chunks.close()
            raise
        finally:
            segment.end(raised, has_own_limit=self.step_timeout is not None)
        if latest is not None and latest.found:
            yield latest.changed(segment.metadata)

    async def astream(
        self,
        input: Any,  # noqa: A002 - LangGraph's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Stream the graph asynchronously, as a segment of a commis."""
        segment = self._open(input, config)
        if segment is None:
            async for chunk in super().astream(input, config, **kwargs):
                yield chunk
            return
        chunks = cast("AsyncGenerator[Any, None]", super().astream(input, segment.config, **kwargs))
        latest = self._state_chunk(config, kwargs)
        raised: BaseException | None = None
        try:
            while True:
                with segment.active:
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        break
                if latest is not None:
                    latest.see(chunk)
                yield chunk
        except BaseException as error:
            raised = error
            with segment.active:
                await chunks.aclose()
            raise
        finally:  # closing may be cancelled itself
            segment.end(raised, has_own_limit=self.step_timeout is not None)
        if latest is not None and latest.found:
            yield latest.changed(segment.metadata)

    def _open(self, given: Any, config: RunnableConfig | None) -> Segment | None:
        segment = open_segment(
            self.commis_options,
            lambda: self.commis_handler,
            self.config,
            self.get_name(),
            given,
            config,
        )
        tell = segment_begun.get()
        if tell is not None and segment is not None:
            tell(segment)
        return segment

    def _state_chunk(
        self, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> StateChunk | None:
        """Watch for the state that `output` will change; None if it is to stay as it is."""
        if self.commis_options.output is None:
            return None
        stream_mode = kwargs.get("stream_mode")
        if stream_mode is None:
            # As LangGraph decides it: a graph that runs as a node streams its state.
            nested = "__pregel_task_id" in ((config or {}).get("configurable") or {})
            stream_mode = STATE_MODE if nested else self.stream_mode
        return StateChunk(
            self.commis_options.output,
            stream_mode,
            subgraphs=bool(kwargs.get("subgraphs")),
            version=kwargs.get("version", "v1"),
        )
