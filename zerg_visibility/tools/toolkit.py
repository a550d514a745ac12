"""ConciergeToolkit: the tools with which a concierge's model reads what its commis did."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, BaseToolkit, StructuredTool, ToolException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import ConfigurationError
from zerg_visibility.read.excerpt import DEFAULT_MAX_BYTES
from zerg_visibility.store.metadata import UNKNOWN_OWNER
from zerg_visibility.tools import arguments
from zerg_visibility.tools.access import ConciergeView
from zerg_visibility.tools.files import read_file
from zerg_visibility.tools.listing import list_recent
from zerg_visibility.tools.metadata import read_metadata
from zerg_visibility.tools.metrics import read_metrics
from zerg_visibility.tools.results import read_result
from zerg_visibility.tools.search import grep

LEAST_MAX_BYTES = 4_000
"""Below this, an answer could not hold what it must say."""

CONCIERGE_PROMPT = """\
Each commis you start is a job with a number. Read its answer with read_commis_result, which also \
says how long it took. list_commis shows recent jobs, grep_commis finds text in them.
For detailed performance metrics, read 'metrics.jsonl' from the commis directory with \
read_commis_file, or call get_commis_metrics, which has added them up already."""

_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


class ConciergeToolkit(BaseToolkit):
    """Six tools over a store, for the model that starts commis.

    Every tool works sync and async; file work never blocks an event loop. A mistake that the model
    can repair becomes a tool message with status "error".

    Args:
        store: Where the commis live; `CommisStore()` if none is given.
        owner_id: The tools see exactly the commis of this owner, or, if None, those without one.
            May be a function of the run's config, for a toolkit shared by several users.
        max_bytes: The most that one answer may hold, a header not counted; at least 4,000.
        detail: "full" adds a line to each result: tokens, times, slowest call, child jobs, and
            cost where it is known.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    store: CommisStore | None = None
    owner_id: str | Callable[[RunnableConfig], str | None] | None = None
    max_bytes: int = Field(default=DEFAULT_MAX_BYTES, ge=LEAST_MAX_BYTES)
    detail: Literal["summary", "full"] = "summary"

    def get_tools(self) -> list[BaseTool]:
        """Give the tools, to be bound to a model and run by a ToolNode.

        Raises:
            ConfigurationError: The owner's id is the one that stands for an unknown owner.
        """
        store = self.store or CommisStore()
        if not callable(self.owner_id):
            self._owner({})
        answers: dict[type[BaseModel], Callable[..., str]] = {
            arguments.READ_COMMIS_RESULT: read_result,
            arguments.READ_COMMIS_FILE: read_file,
            arguments.LIST_COMMIS: list_recent,
            arguments.GREP_COMMIS: grep,
            arguments.GET_COMMIS_METADATA: read_metadata,
            arguments.GET_COMMIS_METRICS: read_metrics,
        }
        return [self._tool(store, schema, answer) for schema, answer in answers.items()]

    def _tool(
        self, store: CommisStore, schema: type[BaseModel], answer: Callable[..., str]
    ) -> BaseTool:
        name = schema.__name__

        def run(config: RunnableConfig, **given: Any) -> str:
            view = ConciergeView(store, self._owner(config), self.max_bytes, self.detail)
            try:
                return answer(view, **given)
            except OSError as error:
                raise ToolException(
                    f"The commis store cannot be read just now ({type(error).__name__})."
                ) from error

        # Asynchronously, LangChain runs it in a thread.
        return StructuredTool.from_function(
            func=run,
            name=name,
            description=schema.model_json_schema()["description"],
            args_schema=schema,
            handle_tool_error=lambda error: f"Error: {error}",
            handle_validation_error=_explain(name, schema),
        )

    def _owner(self, config: RunnableConfig) -> str | None:
        owner = self.owner_id(config) if callable(self.owner_id) else self.owner_id
        if owner is not None and not isinstance(owner, str):
            raise ConfigurationError(
                f"the function given as owner_id must return a str or None, "
                f"not {type(owner).__name__}"
            )
        # Else whoever may choose his own name could read what has lost its owner.
        if owner == UNKNOWN_OWNER:
            raise ConfigurationError(f"owner_id={UNKNOWN_OWNER!r} is nobody's name; use another")
        return owner


def _explain(name: str, schema: type[BaseModel]) -> Callable[[Any], str]:
    usage = ", ".join(
        field if info.is_required() else f"{field}={info.default!r}"
        for field, info in schema.model_fields.items()
    )

    def explain(error: ValidationError) -> str:
        # The rejected values are left out: they may be anything, of any length.
        wrong = {one["loc"][0]: one["type"] for one in error.errors() if one["loc"]}
        problems = [
            f"{field} is missing" if wrong[field] == "missing" else f"{field} must be {_kind(info)}"
            for field, info in schema.model_fields.items()
            if field in wrong
        ]
        problem = ", and ".join(problems) or "the arguments cannot be used"
        return f"Error: {problem}. Expected: {name}({usage})."

    return explain


def _kind(info: FieldInfo) -> str:
    """Say in words what an argument must be: `a whole number or text`."""
    kinds = get_args(info.annotation) or (info.annotation,)
    return " or ".join(words for kind, words in _KINDS.items() if kind in kinds) or "something else"
