"""How one commis is watched: what a user chose when wrapping it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig

from zerg_visibility.arguments import expect, expect_functions, expect_store
from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.labels import Labels, checked_labels
from zerg_visibility.redaction import Redact
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import is_storable

CAPTURES = ("result", "messages", "tool_inputs", "tool_outputs", "starts")
"""What can be stored beside metrics; all of it by default."""

Output = Callable[[Any, CommisMetadata], Any]
"""Takes the commis's update and what is known of it; gives the update for the outer graph."""

Owner = str | Callable[[RunnableConfig], str | None] | None
"""Whose a commis is: known beforehand, or told by the config of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommisOptions:
    """How one commis is watched; what each of these is, `create_commis_node` says.

    Raises:
        ConfigurationError: One of them cannot be used; the message says what it must be.
    """

    store: CommisStore | None = None
    name: str | None = None
    task: Callable[[Any], str] | None = None
    result: Callable[[Any], str] | None = None
    output: Output | None = None
    owner_id: Owner = None
    capture: Collection[str] = CAPTURES
    redact: Redact | None = None
    labels: Labels | None = None
    handler: VisibilityCallbackHandler | None = None

    def __post_init__(self) -> None:
        expect_store(self.store)
        expect("name", self.name, self.name is None or isinstance(self.name, str), "a text")
        expect_functions(
            {"task": self.task, "result": self.result, "output": self.output, "redact": self.redact}
        )
        given = self.handler
        is_handler = given is None or isinstance(given, VisibilityCallbackHandler)
        expect("handler", given, is_handler, "a VisibilityCallbackHandler")
        checked_labels(self.labels)
        # Annotations promise what is checked here, but nothing holds a caller to them.
        owner: object = self.owner_id
        is_owner = owner is None or callable(owner) or isinstance(owner, str)
        expect("owner_id", owner, is_owner, "a text, or a function of the config that gives one")
        fits = not isinstance(owner, str) or is_storable(owner)
        expect("owner_id", owner, fits, "a text that UTF-8 can hold, without lone surrogates")
        capture: object = self.capture
        is_capture = isinstance(capture, Collection) and not isinstance(capture, str)
        expect("capture", capture, is_capture, f"a collection of {', '.join(CAPTURES)}")
        for part in self.capture:
            expect("each part of capture", part, part in CAPTURES, f"one of {', '.join(CAPTURES)}")
