"""The one table of open runs: what has started, and has not ended yet.

Everything that could leak is in here: an entry leaves by `pop` on end or on error, and whatever is
left when its root run ends is swept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from zerg_visibility.clock import format_for_name
from zerg_visibility.redaction import Redact
from zerg_visibility.words import one_line

if TYPE_CHECKING:
    from zerg_visibility.callbacks.usage import Answer
    from zerg_visibility.context import CommisContext
    from zerg_visibility.journal import Journal

NAME_MAX = 200
"""Characters of a model's or tool's name in a record; both can come from outside."""

RunId: TypeAlias = int
"""LangChain's run id as its 128-bit number: UUIDs are hashed and compared by Python code."""

_LOW_64 = 2**64 - 1


class RootRun:
    """One root run: one trace.

    Args:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        run_id: LangChain's id; None until the first event of a commis that runs on its own.
        concierge_id: The name of its directory; None for a commis that runs on its own.
    """

    __slots__ = (
        "calls",
        "chains",
        "concierge_id",
        "ended",
        "journal",
        "run_id",
        "span_id",
        "trace_id",
    )

    def __init__(
        self, *, trace_id: str, span_id: str, run_id: RunId | None, concierge_id: str | None
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.run_id = run_id
        self.concierge_id = concierge_id
        self.journal: Journal | None = None
        """Where records outside any commis go, once there was one."""
        self.ended = False
        self.chains: set[RunId] = set()
        self.calls: dict[RunId, OpenCall] = {}

    @classmethod
    def of_run(cls, run_id: RunId, started_us: int) -> RootRun:
        """Make the root for a run that nothing known encloses; its trace id is the run's id."""
        digits = f"{run_id:032x}"
        return cls(
            trace_id=digits,
            span_id=f"{run_id & _LOW_64:016x}",
            run_id=run_id,
            concierge_id=f"{format_for_name(started_us)}_{digits[-8:]}",
        )


class OpenRun:
    """Any run that others can be inside of.

    Args:
        root: Its root run.
        call: The nearest tool call that it is in, or is.
    """

    __slots__ = ("call", "children", "commis", "context", "root")

    def __init__(self, root: RootRun, call: OpenCall | None) -> None:
        self.root = root
        self.call = call
        self.context: CommisContext | None = None
        """The commis that it is in; in a thread without context only its parent tells."""
        self.commis: CommisContext | None = None
        """The commis whose own graph run this is."""
        self.children: set[OpenCall] | None = None
        """Open calls directly inside."""


class OpenCall(OpenRun):
    """An LLM or tool call that has started."""

    __slots__ = (
        "answer",
        "attempt",
        "cancelled",
        "cut",
        "first_token_ns",
        "hint",
        "journal",
        "kind",
        "name",
        "node",
        "parent",
        "parent_span_id",
        "redact",
        "run_id",
        "schemas",
        "span_id",
        "start_ns",
        "start_us",
        "stopped_ns",
        "tool_call_id",
        "try_key",
        "usage",
    )

    def __init__(
        self, kind: Literal["llm_call", "tool_call"], run_id: RunId, root: RootRun
    ) -> None:
        super().__init__(root, self if kind == "tool_call" else None)
        self.kind = kind
        self.run_id = run_id
        # Of a time-ordered UUID these are the random digits.
        self.span_id = f"{run_id & _LOW_64:016x}"
        self.parent: OpenRun | None = None
        self.parent_span_id = root.span_id
        self.journal: Journal | None = None
        """Where its record goes; None if another handler writes it."""
        self.redact: Redact = str
        """Applied to texts before they are stored or logged; never raises."""
        self.name: str | None = None
        self.node: str | None = None
        self.hint: str | None = None
        self.tool_call_id: str | None = None
        self.attempt = 1
        self.try_key: str | None = None
        self.start_us = 0
        self.start_ns = 0
        self.first_token_ns: int | None = None
        self.stopped_ns: int | None = None
        """When it must have stopped at the latest, if no end was reported."""
        self.cancelled = False
        """Whether its cancellation was reported; why is known only when the commis ends."""
        self.cut = False
        """Whether the node around it was cancelled, and it must have been so with it."""
        self.schemas: frozenset[str] = frozenset()
        """Output schemas that the model answers as if they were tools."""
        self.usage: Any = None
        """Usage that chunks told so far; counts if the call ends without telling it itself."""
        self.answer: Answer | None = None
        """What had arrived when it was cancelled."""

    def shown(self, name: str | None) -> str | None:
        """Put a model's or tool's name on one line, redacted."""
        return None if name is None else one_line(self.redact(name), NAME_MAX) or None


class RunTable:
    """Open runs by LangChain's run id; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: dict[RunId, OpenRun] = {}
        self._lock = threading.Lock()
        self.get: Callable[[RunId | None], OpenRun | None] = self._entries.get  # type: ignore[assignment]
        """Give an open run; the dictionary's own method, since this is called for every event."""

    def __len__(self) -> int:
        return len(self._entries)

    def add_chain(self, run_id: RunId, entry: OpenRun) -> None:
        """Note that a chain run has started."""
        entry.root.chains.add(run_id)
        self._entries[run_id] = entry

    def pop_chain(self, run_id: RunId) -> OpenRun | None:
        """Take out a chain run that has ended; None if it is not open any more."""
        entry = self._entries.pop(run_id, None)
        if entry is not None:
            entry.root.chains.discard(run_id)
        return entry

    def add_call(self, call: OpenCall) -> None:
        """Note that an LLM or tool call has started."""
        parent = call.parent
        if parent is not None:
            if parent.children is None:
                with self._lock:
                    if parent.children is None:
                        parent.children = set()
            parent.children.add(call)
        if call.context is not None:
            call.context.open_calls.add(call)
        call.root.calls[call.run_id] = call
        self._entries[call.run_id] = call

    def get_call(self, run_id: RunId) -> OpenCall | None:
        """Give an open call."""
        entry = self._entries.get(run_id)
        return entry if isinstance(entry, OpenCall) else None

    def pop_call(self, run_id: RunId) -> OpenCall | None:
        """Take out a call that has ended; None if it is not open any more.

        Of several that want to end the same call, exactly one gets it.
        """
        entry = self._entries.pop(run_id, None)
        if not isinstance(entry, OpenCall):
            return None
        entry.root.calls.pop(run_id, None)
        if entry.parent is not None and entry.parent.children is not None:
            entry.parent.children.discard(entry)
        if entry.context is not None:
            entry.context.open_calls.discard(entry)
        return entry

    def sweep_chains(self, root: RootRun) -> None:
        """Take out the chain runs that a root left behind; LangChain did not report their end."""
        while root.chains:
            try:
                self._entries.pop(root.chains.pop(), None)
            except KeyError:
                return
