"""Which root and which commis a run belongs to, and how it ends if nobody says so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from langgraph.errors import GraphInterrupt, NodeTimeoutError

from zerg_visibility.callbacks.builder import RecordBuilder
from zerg_visibility.callbacks.concierge import ConciergeFiles
from zerg_visibility.callbacks.content import has_content
from zerg_visibility.callbacks.context import ambient_run_id, current_commis
from zerg_visibility.callbacks.in_flight import OpenCallInfo, in_flight
from zerg_visibility.callbacks.open_runs import OpenRuns
from zerg_visibility.callbacks.outside import OutsideTrace, outside_trace
from zerg_visibility.callbacks.runs import ActiveSegment, OpenCall, OpenRun, RootRun, RunId
from zerg_visibility.callbacks.starts import NAMESPACE, namespace, node_attempt, retry_attempt
from zerg_visibility.callbacks.usage import Answer, see_usage, with_usage
from zerg_visibility.clock import Clock
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.labels import Labels, labels_of_run, merged_labels
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.redaction import Redact

MAX_OPEN_RUNS = 50_000
"""Runs that are open at once; beyond it, the oldest is taken for one whose end was not reported."""

LATE_NS = 300 * 10**9
"""For so long after its end a root run takes in what outlives it. A task that was started in it and
works on for others, as a queue's consumer does, begins runs of its own from then on."""

STOPPED_BY_TIME = (TimeoutError, NodeTimeoutError)
"""LangGraph's NodeTimeoutError is no TimeoutError."""


class Tracker(ForkSafe):
    """Follows runs from start to end in the one table of open runs.

    LangChain reports no end for a model call that is cancelled, so whatever encloses a call may
    have to end it: the node it was made in, its commis, or the root run.

    `store` and `redact` are for what is outside of any commis, `labels` for all root runs.
    """

    late_ends = 0
    """Calls that ended after they had been recorded as cancelled or timed out."""

    def __init__(
        self,
        store: CommisStore,
        redact: Redact,
        builder: RecordBuilder,
        diagnostics: Diagnostics,
        clock: Clock,
        labels: Labels,
    ) -> None:
        super().__init__()
        self._redact = redact
        self._labels = labels
        self._concierges = ConciergeFiles(store, redact, builder, diagnostics, clock)
        self._builder = builder
        self._diagnostics = diagnostics
        self._clock = clock
        self._runs = OpenRuns()

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended yet."""
        return len(self._runs)

    def in_flight(self) -> list[OpenCallInfo]:
        """Give the calls and commis that have started and not ended yet."""
        return in_flight(self._runs.snapshot())

    # -- chain runs -------------------------------------------------------------------------------

    def open_chain(
        self,
        run_id: RunId,
        parent_run_id: RunId | None,
        metadata: Mapping[str, Any] | None,
        name: Any,
    ) -> None:
        """Note that a chain run has started."""
        parent, root, commis = self._place(run_id, parent_run_id, metadata)
        entry = OpenRun(root, None if parent is None else parent.call, commis)
        entry.is_step = root.run_id == parent_run_id
        if root.run_id == run_id:
            root.name = name if isinstance(name, str) and name else "concierge"
        if commis is not None and commis.run_id is None and commis.owner is self:
            commis.run_id = run_id
            ns = (metadata or {}).get(NAMESPACE)
            commis.ns = ns if isinstance(ns, str) else ""
            entry.root_of = commis
        self._runs.add_chain(run_id, entry)
        if len(self._runs) > MAX_OPEN_RUNS:
            self._make_room()

    def close_chain(self, run_id: RunId, outputs: Any, error: BaseException | None) -> None:
        """Note that a chain run has ended, and settle what that ends with it."""
        entry = self._runs.pop_chain(run_id)
        if entry is None or _is_of_parent(entry, error):
            return
        if entry.children:
            self._settle_children(entry, error)
        if entry.root_of is not None:
            entry.root_of.output = outputs
        elif error is not None:
            commis = current_commis.get()
            if commis is not None and not commis.ended:  # after its end nobody asks any more
                commis.inner_error = error
        if entry.is_step and isinstance(error, GraphInterrupt):
            entry.root.interrupted = True
        if entry.root.run_id == run_id:
            self._end_root(entry.root, error)

    def note_interrupt(
        self, run_id: RunId | None, questions: Sequence[Any], checkpoint_id: str
    ) -> None:
        """Note that a graph stopped to wait for a human without raising."""
        entry = self._runs.get(run_id)
        if entry is None:
            return
        if entry.root_of is not None:
            entry.root_of.interrupted = True
            entry.root_of.questions = questions
        if entry.root.run_id == run_id:
            entry.root.interrupted = True
            self._concierges.note_interrupt(entry.root, checkpoint_id)

    def note_resume(self, run_id: RunId | None, checkpoint_id: str) -> None:
        """Note that a graph goes on from where it stopped."""
        entry = self._runs.get(run_id)
        if entry is not None and entry.root.run_id == run_id:
            self._concierges.note_resume(entry.root, checkpoint_id)

    # -- calls ------------------------------------------------------------------------------------

    def new_call(
        self,
        kind: Literal["llm_call", "tool_call"],
        run_id: RunId,
        parent_run_id: RunId | None,
        metadata: dict[str, Any],
        tags: list[str] | None,
        *,
        tool_call_id: str | None = None,
        asked: Any = None,
    ) -> OpenCall:
        """Make a call that is about to start, with its place in graph, commis and trace."""
        parent, root, commis = self._place(run_id, parent_run_id, metadata)
        call = OpenCall(kind, run_id, root, parent, commis)
        # A call that nothing known encloses is its own root, and has no parent of ours.
        alone = root.run_id == run_id
        call.parent_span_id = root.parent_span_id if alone else _parent_span(parent, commis, root)
        if commis is None:
            call.run_log = self._concierges.run_log(root)
        elif commis.owner is self:
            call.run_log = commis.run_log
        if call.run_log is not None:
            call.redact = call.run_log.redact
        elif commis is not None:
            # Another handler owns the commis; what it wants hidden is not for our sinks either.
            call.redact = _both(commis.run_log.redact, self._redact)
        node, agent = metadata.get("langgraph_node"), metadata.get("lc_agent_name")
        call.node = node if isinstance(node, str) else None
        call.agent = call.shown(agent) if isinstance(agent, str) else None
        call.ns = namespace(metadata, root.ns if commis is None else commis.ns)
        call.tool_call_id = tool_call_id
        call.asked = asked
        call.try_key = tool_call_id or metadata.get(NAMESPACE)
        attempt = max(1 if commis is None else commis.attempt, node_attempt(), retry_attempt(tags))
        if attempt > 1 and commis is not None and commis.open_calls:
            # The attempt before ran into its node's time limit, or there would be none after it.
            for earlier in list(commis.open_calls):
                if earlier.cut and earlier.try_key == call.try_key:
                    self.close_call(earlier, "timeout")
        if call.run_log is not None and call.try_key is not None:
            history, key = call.run_log.history, call.try_key
            tried = history.of_model(key, asked) if tool_call_id is None else history.of_tool(key)
            attempt = max(attempt, 1 + tried)
        call.attempt = attempt
        return call

    def start(self, call: OpenCall, name: str, args: str | None = None) -> None:
        """Put a call into the table, and into started.jsonl under this name."""
        # Before anybody can find it: a commis that is cancelled now ends its calls at once.
        call.start_us = self._clock.wall_us()
        call.start_ns = self._clock.monotonic_ns()
        self._runs.add_call(call)
        if len(self._runs) > MAX_OPEN_RUNS:
            self._make_room()
        if call.root.ended and not self._is_at_work(call):
            self._close_with_task(call)
        if call.run_log is not None:
            try:
                line = CallStarted(
                    event=call.kind,
                    name=name,
                    span_id=call.span_id,
                    start_us=call.start_us,
                    parent_span_id=call.parent_span_id,
                    args=args,
                    ns=call.ns,
                )
                call.run_log.start(line.to_dict())
            except Exception as error:
                self._diagnostics.note("write a line of started.jsonl", error)
        # It starts now: our own writing is not its time, and its end is when it ended.
        now_ns = self._clock.monotonic_ns()
        call.start_us += (now_ns - call.start_ns) // 1000
        call.start_ns = now_ns

    def note_chunk(self, run_id: RunId, token: Any, message: Any) -> None:
        """Note when the first content of a model came, and the usage that a chunk told.

        This runs for every streamed token: after the first only usage is looked at.
        """
        call = self._runs.get_call(run_id)
        if call is None:
            return
        if call.first_token_ns is None and has_content(token, message):
            call.first_token_ns = self._clock.monotonic_ns()
        usage = getattr(message, "usage_metadata", None)
        if usage:
            call.usage = see_usage(call.usage, usage)

    def take(
        self,
        run_id: RunId,
        ended_ns: int,
        error: BaseException | None = None,
        answer: Answer | None = None,
    ) -> OpenCall | None:
        """Take out a call that has ended; None, and counted, if it was closed before.

        None as well, but not counted, if it was cancelled, and whatever encloses it will say why;
        or if a forked child drops its copy of a call.
        """
        is_cancelled = error is not None and isinstance(error, asyncio.CancelledError)
        if is_cancelled and self._set_aside(run_id, ended_ns, answer):
            return None
        call = self._runs.pop_call(run_id)
        if call is None:
            with self._lock:
                self.late_ends += 1
        elif error is not None and _is_of_parent(call, error):
            return None
        return call

    def close_call(self, open_call: OpenCall, reason: str) -> None:
        """Record a call whose end nobody reported."""
        call = self._runs.pop_call(open_call.run_id)
        if call is None:
            return
        ended_ns = call.stopped_ns or self._clock.monotonic_ns()
        if call.kind == "llm_call":
            answer = with_usage(call.answer or Answer(), call.usage)
            self._builder.llm_call(call, ended_ns, answer, reason)
        else:
            self._builder.tool_call(call, ended_ns, reason)

    def end_if_root(self, call: OpenCall) -> None:
        """End the root run of a model or tool that was called on its own."""
        if call.root.run_id == call.run_id:
            self._end_root(call.root, None)

    # -- commis -----------------------------------------------------------------------------------

    def enclosing(
        self, parent_run_id: RunId | None
    ) -> tuple[RootRun, str, ActiveSegment | None] | None:
        """Give the root run, span and commis that a commis is started in; None if nothing is known.

        In a tool, its config's callbacks name the tool's caller; LangChain's context the tool.
        """
        parent = self._find(ambient_run_id(), parent_run_id)
        if parent is None:
            return None
        commis = current_commis.get() or parent.inside
        if commis is None:
            self._concierges.run_log(parent.root)  # its files begin with what it starts
        return parent.root, _parent_span(parent, commis, parent.root), commis

    def new_root(
        self,
        metadata: Mapping[str, Any],
        run_id: RunId | None = None,
        start_us: int | None = None,
        start_ns: int = 0,
    ) -> RootRun:
        """Make a root run; with nothing but its config's metadata, that of a commis on its own."""
        outside: OutsideTrace | None = None
        own: Labels = {}
        with self._diagnostics.guard("tell which trace a run is part of"):
            outside = outside_trace(metadata)
        with self._diagnostics.guard("tell which labels a run has"):
            own = labels_of_run(metadata, self._redact, self._diagnostics)
        labels = merged_labels(own, self._labels)
        return RootRun(run_id, start_us, start_ns, metadata, outside, labels)

    def end_commis(self, commis: ActiveSegment, reason: str, record: CommisRunRecord) -> None:
        """Close what a commis left open, cancelled or timed out, and record its segment."""
        survived = record.status in {"success", "interrupted"}
        for call in list(commis.open_calls):
            # A node that was cancelled without ending its commis had run into its own time limit.
            self.close_call(call, "timeout" if call.cut and survived else reason)
        around = None if commis.outer is None else commis.outer.run_log
        if around is None and commis.root.concierge_id is not None:
            around = self._concierges.run_log(commis.root)
        self._builder.emit(record, around)
        for other in list(commis.watchers):
            other.note_commis(record)
        if commis.root.ended:
            # After a node's timeout= the root ends before the commis does.
            self._wind_up(commis.root)

    def note_commis(self, record: CommisRunRecord) -> None:
        """Tell the sinks of a segment that another handler has recorded."""
        self._builder.emit(record, None, is_mine=False)

    # -- inside -----------------------------------------------------------------------------------

    def _place(
        self, run_id: RunId, parent_run_id: RunId | None, metadata: Mapping[str, Any] | None
    ) -> tuple[OpenRun | None, RootRun, ActiveSegment | None]:
        """Find what a new run is inside of; a run that nothing known encloses is a root."""
        commis = current_commis.get()
        parent = self._runs.get(parent_run_id)
        if parent is None and parent_run_id is not None:
            parent = self._find(parent_run_id, ambient_run_id())
        elif parent is None:
            # Callbacks were passed by hand, which inside of a run is no new root. A task that was
            # started in a run long ago, and works for others since, is inside of none.
            parent = self._runs.get(ambient_run_id())
        if commis is None and parent is not None:
            commis = parent.inside  # a thread without context, given its config by hand
        if parent is not None:
            root = parent.root
        elif commis is not None and commis.owner is self:
            root = commis.root
            if root.run_id is None:
                root.run_id = run_id
        else:
            start_us, start_ns = self._clock.wall_us(), self._clock.monotonic_ns()
            root = self.new_root(metadata or {}, run_id, start_us, start_ns)
        if commis is not None and commis.owner is not self:
            commis.watchers[self] = root
        return parent, root, commis

    def _find(self, *run_ids: RunId | None) -> OpenRun | None:
        """Give the first of these runs that is open, else the first that has ended lately."""
        for run_id in run_ids:
            if (found := self._runs.get(run_id)) is not None:
                return found
        for run_id in run_ids:
            found = None if run_id is None else self._runs.get_ended(run_id)
            if found is None:
                continue
            ended_ns = found.root.ended_ns
            if ended_ns is None or self._clock.monotonic_ns() - ended_ns <= LATE_NS:
                return found
        return None

    def _set_aside(self, run_id: RunId, ended_ns: int, answer: Answer | None) -> bool:
        """Keep a cancelled call, if what encloses it can tell whether a time limit was why."""
        call = self._runs.get_call(run_id)
        if call is None or call.root.run_id in {None, run_id}:
            return False
        if call.root.ended and not self._is_at_work(call):
            return False
        call.cancelled = True
        call.stopped_ns = ended_ns
        call.answer = answer
        return True

    def _close_with_task(self, call: OpenCall) -> None:
        """End a call that outlives its root with the task that makes it; nothing else would."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return  # no event loop, so no cancellation either
        if task is not None:

            def close(_: object) -> None:
                self.close_call(call, "cancelled")

            task.add_done_callback(close)
            # It may be a worker that makes such calls for as long as the program runs.
            call.stop_watching = partial(task.remove_done_callback, close)

    def _settle_children(self, entry: OpenRun, error: BaseException | None) -> None:
        """Decide what became of calls whose enclosing run has ended before them."""
        for call in list(entry.children or ()):
            if isinstance(error, STOPPED_BY_TIME):
                self.close_call(call, "timeout")
            elif error is None and call.cancelled:
                self.close_call(call, "cancelled")
            elif call.stopped_ns is None:
                # It may have been cancelled without a word, or go on in the background: a real end
                # still counts, but if none comes, it did not last longer than this.
                call.stopped_ns = self._clock.monotonic_ns()
                call.cut = isinstance(error, asyncio.CancelledError)

    def _make_room(self) -> None:
        """End what started first: most likely LangChain never reported its end."""
        while len(self._runs) > MAX_OPEN_RUNS:
            run_id, entry = self._runs.oldest()
            if isinstance(entry, OpenCall):
                self.close_call(entry, "cancelled")
            else:
                self._runs.pop_chain(run_id)

    def _end_root(self, root: RootRun, error: BaseException | None) -> None:
        """Sweep what a root run left open, and close its file."""
        reason = "timeout" if isinstance(error, STOPPED_BY_TIME) else "cancelled"
        for call in list(root.calls.values()):
            # A commis closes its own calls: it may have a limit of its own, and is not yet over.
            if not self._is_at_work(call):
                self.close_call(call, reason)
        root.ended = True
        root.ended_ns = self._clock.monotonic_ns()
        if root.concierge_id is not None:
            self._concierges.end(root, error)
        self._wind_up(root)

    def _wind_up(self, root: RootRun) -> None:
        self._runs.sweep_chains(root, self._is_at_work)
        if root.run_log is not None:
            root.run_log.close()

    def _is_at_work(self, run: OpenRun) -> bool:
        """Say whether a run belongs to a commis of ours that has not ended; it sees to it then."""
        commis = run.inside
        return commis is not None and not commis.ended and commis.owner is self


def _is_of_parent(run: OpenRun, error: BaseException | None) -> bool:
    """Say whether a child process drops its copy of a stream that its parent goes on with."""
    return isinstance(error, GeneratorExit) and os.getpid() != run.root.pid


def _both(first: Redact, then: Redact) -> Redact:
    return lambda text: then(first(text))


def _parent_span(parent: OpenRun | None, commis: ActiveSegment | None, root: RootRun) -> str:
    """Name the span around a run: the tool call it is made in, its commis, or the root run."""
    call = None if parent is None else parent.call
    if call is not None and call.inside is commis:
        return call.span_id
    return root.span_id if commis is None else commis.span_id
