"""What can be open: a root run, the runs inside of it, and the segment of a commis they are in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias
from uuid import uuid4

from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand

from zerg_visibility.callbacks.outside import OutsideTrace
from zerg_visibility.callbacks.starts import NAMESPACE
from zerg_visibility.callbacks.usage import Answer, SeenUsage
from zerg_visibility.clock import format_for_name
from zerg_visibility.errortext import ERROR_MAX, error_text
from zerg_visibility.labels import Labels
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord, ConciergeRunRecord
from zerg_visibility.redaction import Redact
from zerg_visibility.run_log import RunLog
from zerg_visibility.status import CommisStatus
from zerg_visibility.words import one_line

NAME_MAX = 200
"""Characters of a model's or tool's name in a record; both can come from outside."""

RunId: TypeAlias = int
"""LangChain's run id as its 128-bit number: UUIDs are hashed and compared by Python code."""

FAILURES_MAX = 100
"""Errors of commis that are known again where they pass through; as many may fail side by side."""

_LOW_64 = 2**64 - 1


def status_of(error: BaseException | None, *, interrupted: bool) -> CommisStatus:
    """Say how a root run or a segment ended by what it raised, or whether it stopped without."""
    if error is None:
        return "interrupted" if interrupted else "success"
    if isinstance(error, GraphInterrupt):
        return "interrupted"
    if isinstance(error, ParentCommand):
        return "success"
    if isinstance(error, GraphBubbleUp) or not isinstance(error, Exception):
        return "cancelled"  # CancelledError, GeneratorExit, KeyboardInterrupt, a drained graph
    return "failed"


class Failures:
    """What commis inside of something raised, each with the text that it lets be stored.

    An error passes through everything around the commis that raised it, and a commis may have more
    to hide than those. Safe to use from several threads.
    """

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: list[tuple[BaseException, str]] = []

    def note(self, error: BaseException, text: str, *, keep: int = FAILURES_MAX) -> None:
        """Remember one, and forget the oldest if they are more than that."""
        self._noted.append((error, text))
        del self._noted[:-keep]

    def reason(self, error: BaseException, redact: Redact) -> str:
        """Say why something failed, in a commis's own words if the error came from one."""
        for known, text in list(self._noted):
            if known is error:
                return one_line(redact(text), ERROR_MAX)
        return error_text(error, redact)

    def clear(self) -> None:
        """Let go of them, and of what their tracebacks hold."""
        self._noted.clear()


class RootRun:
    """One root run: of a concierge, or of a commis that runs without one.

    That of a commis on its own has no start, and no `run_id` until the first event. `start_ns` is
    the moment of `start_us` on the monotonic clock; `labels` are redacted.
    """

    run_log: RunLog | None = None
    """Where records outside any commis go, once there was one."""
    name: str | None = None
    """What its graph is called; None while it is not known to be one."""
    continues: str | None = None
    """The root run that it resumes, by its concierge id."""
    outcome: ConciergeRunRecord | None = None
    """How it ended, until that is written."""
    interrupted = False
    """Whether something in it stopped to wait for a human."""
    ended = False
    ended_ns: int | None = None

    def __init__(
        self,
        run_id: RunId | None,
        start_us: int | None = None,
        start_ns: int = 0,
        metadata: Mapping[str, Any] = MappingProxyType({}),
        outside: OutsideTrace | None = None,
        labels: Labels = MappingProxyType({}),
    ) -> None:
        digits = uuid4().hex if run_id is None else f"{run_id:032x}"
        self.run_id = run_id
        self.trace_id, self.parent_span_id = outside or (digits, None)
        # Of a time-ordered UUID the last digits are random, so two of one trace do not meet.
        self.span_id = digits[16:]
        self.concierge_id = (
            None if start_us is None else f"{format_for_name(start_us)}_{digits[-8:]}"
        )
        """The name of its directory; None for a commis that runs on its own."""
        self.start_us = start_us or 0
        self.start_ns = start_ns
        self.metadata = metadata
        ns = metadata.get(NAMESPACE)
        self.ns = ns if isinstance(ns, str) else ""
        """LangGraph's namespace of it, if the graph that it is a node of is not watched."""
        self.labels = labels
        self.failures = Failures()
        """What commis in it raised."""
        self.pid = os.getpid()
        self.chains: set[RunId] = set()
        self.calls: dict[RunId, OpenCall] = {}


class OpenRun:
    """Any run that others can be inside of.

    `call` is the nearest tool call that it is in, or is; `inside` the commis. Attributes that few
    runs need are the class's until then, which is quicker than slots to fill.
    """

    root_of: ActiveSegment | None = None
    """The commis whose own graph run this is."""
    is_step = False
    """Whether it is directly inside of its root run."""
    children: set[OpenCall] | None = None
    """Open calls directly inside."""

    def __init__(
        self, root: RootRun, call: OpenCall | None, inside: ActiveSegment | None = None
    ) -> None:
        self.root = root
        self.call = call
        self.inside = inside


class OpenCall(OpenRun):
    """An LLM or tool call that has started."""

    parent_span_id: str | None = None
    run_log: RunLog | None = None
    """Where its record goes; None if another handler writes it."""
    redact: Redact = str
    """Applied to texts before they are stored or logged; never raises."""
    name: str | None = None
    provider: str | None = None
    agent: str | None = None
    node: str | None = None
    ns: str | None = None
    hint: str | None = None
    tool_call_id: str | None = None
    args_bytes: int | None = None
    attempt = 1
    try_key: str | None = None
    asked: Any = None
    """What a model was asked, to know the call again if it is tried once more."""
    start_us = 0
    start_ns = 0
    first_token_ns: int | None = None
    stopped_ns: int | None = None
    """When it must have stopped at the latest, if no end was reported."""
    stop_watching: Callable[[], object] | None = None
    """Called at its end, if the end of the task that makes it is waited for."""
    cancelled = False
    """Whether its cancellation was reported; why is known only when the commis ends."""
    cut = False
    """Whether the node around it was cancelled, and it must have been so with it."""
    schemas: frozenset[str] = frozenset()
    """Output schemas that the model answers as if they were tools."""
    usage: SeenUsage | None = None
    """Usage that chunks told so far; counts if the call ends without telling it itself."""
    answer: Answer | None = None
    """What had arrived when it was cancelled."""

    def __init__(
        self,
        kind: Literal["llm_call", "tool_call"],
        run_id: RunId,
        root: RootRun,
        parent: OpenRun | None = None,
        inside: ActiveSegment | None = None,
    ) -> None:
        # Not by way of OpenRun: one is made for every call.
        self.root = root
        self.call = self if kind == "tool_call" else None
        self.inside = inside
        self.kind = kind
        self.run_id = run_id
        # Of a time-ordered UUID these are the random digits.
        self.span_id = f"{run_id & _LOW_64:016x}"
        self.parent = parent

    def shown(self, name: str | None) -> str | None:
        """Put a model's or tool's name on one line, redacted."""
        if name is None:
            return None
        if self.redact is str and len(name) <= NAME_MAX:  # nearly always, and again and again
            return _shown(name)
        return one_line(self.redact(name), NAME_MAX) or None


@lru_cache(maxsize=512)
def _shown(name: str) -> str | None:
    return one_line(name, NAME_MAX) or None


class Watcher(Protocol):
    """A handler that sees the events of a commis; one of them owns it, and writes its files."""

    def note_commis(self, record: CommisRunRecord) -> None:
        """Take the record of a segment that the owner has written."""


@dataclass(eq=False, kw_only=True, repr=False)
class ActiveSegment:
    """One segment of a commis while it is at work, and for late calls after that."""

    commis_id: str
    name: str
    span_id: str
    parent_span_id: str | None
    root: RootRun
    outer: ActiveSegment | None
    """The segment of another commis that started it; None if the concierge did."""
    run_log: RunLog
    """Where records of its calls go."""
    owner: Watcher
    """The one that writes them; others may watch too, but must not write them twice."""
    execution: object = None
    """Stands for the execution of a task that it is part of; None on its own."""
    job_id: int | None = None
    start_us: int = 0
    attempt: int = 1
    """More if the commis was started again after a failure."""
    run_id: RunId | None = None
    """LangChain's id of the commis's own graph run, once it has started."""
    ns: str = ""
    """LangGraph's namespace of that run, which those of its calls begin with."""
    output: Any = None
    """What that run returned."""
    inner_error: BaseException | None = None
    """The last error that came from a run inside of it, rather than from its own limits."""
    interrupted: bool = False
    """Whether its graph stopped to wait for a human without raising."""
    questions: Sequence[Any] = ()
    """LangGraph's interrupts, if it did."""
    failures: Failures = field(default_factory=Failures)
    """What commis that it started raised."""
    ended: bool = False
    on_late_record: Callable[[Record], None] | None = None
    """Called for each record that comes after the segment has ended."""
    watchers: dict[Watcher, RootRun] = field(default_factory=dict)
    """Others that see its events too, and the root run that it is part of for them."""
    open_calls: set[OpenCall] = field(default_factory=set)

    def let_go(self) -> None:
        """Drop what its graph left behind: an ended run is remembered for a while."""
        self.output = self.inner_error = self.execution = None
        self.questions = ()
        self.failures.clear()
