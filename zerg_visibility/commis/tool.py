"""create_commis_tool: a commis that the concierge's model starts by calling a tool."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Self, get_type_hints

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphBubbleUp
from langgraph.pregel import Pregel
from pydantic import BaseModel, Field, PrivateAttr
from pydantic.errors import PydanticUserError

from zerg_visibility.arguments import expect_functions
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis.node import create_commis_node, segment_begun
from zerg_visibility.commis.options import CAPTURES, Owner
from zerg_visibility.commis.resume_key import tool_call_id as current_tool_call_id
from zerg_visibility.commis.segment import Segment
from zerg_visibility.commis.texts import result_text
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import ConfigurationError
from zerg_visibility.labels import Labels
from zerg_visibility.read.excerpt import DEFAULT_MAX_BYTES, excerpt
from zerg_visibility.read.result import render_result
from zerg_visibility.redaction import Redact
from zerg_visibility.store import layout


class CommisTask(BaseModel):
    """The arguments of a commis tool."""

    task: str = Field(description="What the commis is to do, with everything it needs to know.")


def create_commis_tool(
    graph: Pregel[Any, Any, Any, Any],
    *,
    name: str,
    description: str,
    store: CommisStore | None = None,
    input: Callable[[str], Any] | None = None,  # noqa: A002 - the counterpart of result
    result: Callable[[Any], str] | None = None,
    owner_id: Owner = None,
    capture: Collection[str] = CAPTURES,
    redact: Redact | None = None,
    labels: Labels | None = None,
    handler: VisibilityCallbackHandler | None = None,
) -> BaseTool:
    """Make a tool that runs a commis and answers with its result and execution time.

    The answer is that of `read_commis_result`. A commis that fails is answered as a failed tool
    call, with what it had finished, so that the concierge can go on; interrupts pass through to
    the outer graph as they would from any tool.

    Args:
        graph: A compiled graph.
        name: The tool's and the commis's name.
        description: Tells the concierge's model when to use it.
        store: Where the commis's directories go; the handler's store if none is given.
        input: Gives the graph's input from the task; by default a human message, or the graph's
            only text field.
        result: Gives the result from the graph's output, as for `create_commis_node`.
        owner_id: Whose commis it is, as for `create_commis_node`.
        capture: What is stored beside metrics, as for `create_commis_node`.
        redact: Applied to every text before it is stored, logged or answered.
        labels: What to call its runs, as for `create_commis_node`.
        handler: The handler to use if the run has none, as for `create_commis_node`.

    Raises:
        ConfigurationError: The graph is not compiled or is a commis already, its input cannot be
            guessed, or another argument cannot be used.
    """
    expect_functions({"input": input})
    node = create_commis_node(
        graph,
        store=store,
        name=name,
        result=result,
        owner_id=owner_id,
        capture=capture,
        redact=redact,
        labels=labels,
        handler=handler,
    )
    tool = CommisTool(name=name, description=description, args_schema=CommisTask)
    tool.watch(node, input or _guess_input(graph))
    return tool


class CommisTool(BaseTool):
    """A tool that runs a commis; made by `create_commis_tool`."""

    handle_tool_error: Any = True
    _node: Any = PrivateAttr()
    _input: Callable[[str], Any] = PrivateAttr()

    def watch(self, node: Any, given: Callable[[str], Any]) -> None:
        """Say which commis to run, and how to make its input of a task."""
        self._node = node
        self._input = given

    def run(self, tool_input: Any, *args: Any, tool_call_id: str | None = None, **kw: Any) -> Any:
        """Run the tool; the id of the call is part of what identifies the commis."""
        with _is_call(tool_call_id, tool_input):
            return super().run(tool_input, *args, tool_call_id=tool_call_id, **kw)

    async def arun(
        self, tool_input: Any, *args: Any, tool_call_id: str | None = None, **kw: Any
    ) -> Any:
        """Run the tool asynchronously."""
        with _is_call(tool_call_id, tool_input):
            return await super().arun(tool_input, *args, tool_call_id=tool_call_id, **kw)

    def _run(self, task: str, config: RunnableConfig) -> str:
        with _Answer() as answer:
            answer.output = self._node.invoke(self._input(task), config)
        return answer.text()

    async def _arun(self, task: str, config: RunnableConfig) -> str:
        with _Answer() as answer:
            answer.output = await self._node.ainvoke(self._input(task), config)
        return answer.text()


@contextmanager
def _is_call(tool_call_id: str | None, tool_input: Any) -> Iterator[None]:
    """Tell a call from others of its message: some servers give all of them one id."""
    task = tool_input.get("task") if isinstance(tool_input, dict) else tool_input
    if tool_call_id is not None and isinstance(task, str):
        tool_call_id = f"{tool_call_id}\n{task}"
    token = current_tool_call_id.set(tool_call_id)
    try:
        yield
    finally:
        current_tool_call_id.reset(token)


class _Answer:
    """What the tool will say, while its commis runs."""

    output: Any = None
    """What the graph returned."""
    _segment: Segment | None = None
    _error: Exception | None = None

    def __enter__(self) -> Self:
        self._token = segment_begun.set(self._begun)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        segment_begun.reset(self._token)
        if isinstance(error, Exception) and not isinstance(error, GraphBubbleUp):
            self._error = error
        return self._error is not None

    def _begun(self, segment: Segment) -> None:
        # Only the first: a commis that this one starts tells too.
        if self._segment is None:
            self._segment = segment

    def text(self) -> str:
        if self._segment is None:
            if self._error is not None:
                raise self._error
            # The concierge asked for the work, not for its being watched.
            answer = _bounded(result_text(self.output, None))
            return f"Result from a commis that could not be watched:\n\n{answer}"
        result = self._segment.result
        text = render_result(self._segment.metadata, None if result is None else _bounded(result))
        if self._error is not None:
            raise ToolException(text) from self._error
        return text


def _bounded(result: str) -> str:
    data = io.BytesIO(result.encode("utf-8", "replace"))
    return excerpt(data, layout.RESULT, DEFAULT_MAX_BYTES).text


def _guess_input(graph: Pregel[Any, Any, Any, Any]) -> Callable[[str], Any]:
    try:
        properties: dict[str, Any] = graph.get_input_jsonschema().get("properties") or {}
    except PydanticUserError:
        # Before Python 3.12 pydantic refuses a schema made with typing.TypedDict.
        schema = getattr(getattr(graph, "builder", None), "input_schema", None)
        hints = {} if schema is None else get_type_hints(schema)
        properties = {
            name: {"type": "string"} if kind is str else {} for name, kind in hints.items()
        }
    if "messages" in properties:
        return lambda task: {"messages": [HumanMessage(task)]}
    texts = [name for name, kind in properties.items() if kind.get("type") == "string"]
    if len(texts) == 1:
        return lambda task: {texts[0]: task}
    raise ConfigurationError(
        f"cannot tell which of the graph's inputs ({', '.join(properties) or 'none'}) is the task; "
        f"say so with create_commis_tool(..., input=lambda task: {{...}})"
    )
