"""How one commis is watched: what a user chose when wrapping it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig

from zerg_visibility.errors import ConfigurationError
from zerg_visibility.redaction import Redact
from zerg_visibility.store.commis import CommisStore
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import is_storable

CAPTURES = ("result", "messages", "tool_outputs", "starts")
"""What can be stored beside metrics; all of it by default."""

Output = Callable[[Any, CommisMetadata], Any]
"""Takes the commis's update and what is known of it; gives the update for the outer graph."""

Owner = str | Callable[[RunnableConfig], str | None] | None
"""Whose a commis is: known beforehand, or told by the config of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommisOptions:
    """How one commis is watched.

    Args:
        store: Where its directory goes; None for the handler's store.
        name: What to call it; None for the name of its node.
        task: Gives its task from its input.
        result: Gives its result from its output.
        output: Changes its update; None leaves it as it is.
        owner_id: Whose it is, or a function that tells it from the run's config.
        capture: What is stored beside metrics.
        redact: Applied to every text before it is stored or logged.

    Raises:
        ConfigurationError: `capture` names something unknown.
    """

    store: CommisStore | None = None
    name: str | None = None
    task: Callable[[Any], str] | None = None
    result: Callable[[Any], str] | None = None
    output: Output | None = None
    owner_id: Owner = None
    capture: Collection[str] = CAPTURES
    redact: Redact | None = None

    def __post_init__(self) -> None:
        if isinstance(self.owner_id, str) and not is_storable(self.owner_id):
            raise ConfigurationError("owner_id holds a lone surrogate, which no file can hold")
        if isinstance(self.capture, str) or not set(self.capture) <= set(CAPTURES):
            raise ConfigurationError(
                f"capture={self.capture!r} is not a collection of {', '.join(CAPTURES)}"
            )
