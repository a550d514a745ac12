"""VisibilityCallbackHandler: LangChain's events in, records out."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent
from langgraph.errors import GraphBubbleUp, NodeTimeoutError, ParentCommand

from zerg_visibility.callbacks.outcomes import output_text, read_outcome
from zerg_visibility.callbacks.runs import OpenCall, OpenRun, RootRun, RunTable
from zerg_visibility.callbacks.starts import (
    node_attempt,
    output_schemas,
    phase_hint,
    requested_model,
    retry_attempt,
    serialized_name,
)
from zerg_visibility.callbacks.usage import Answer, read_answer
from zerg_visibility.clock import SYSTEM_CLOCK, Clock
from zerg_visibility.context import CommisContext, current_commis
from zerg_visibility.faults import FaultLog
from zerg_visibility.journal import Journal
from zerg_visibility.records import (
    CallStart,
    CommisRunRecord,
    LLMCallRecord,
    Record,
    ToolCallRecord,
)
from zerg_visibility.redaction import ERROR_MAX, Redact, error_text, safely
from zerg_visibility.sinks.base import Sink
from zerg_visibility.sinks.fanout import FanoutSink
from zerg_visibility.sinks.log import LogSink
from zerg_visibility.store import layout
from zerg_visibility.store.commis import CommisStore
from zerg_visibility.words import one_line

NAME_MAX = 200
"""Characters of a model's or tool's name in a record; both can come from outside."""

HookT = TypeVar("HookT", bound=Callable[..., None])


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStats:
    """What a handler has done so far.

    Args:
        records: Finished records.
        dropped_records: Those of them that could not be written.
        failures: How often watching failed, whatever the reason.
        late_ends: Calls that ended after they had been recorded as cancelled or timed out.
        open_runs: Runs that have started and not ended yet.
    """

    records: int
    dropped_records: int
    failures: int
    late_ends: int
    open_runs: int


def _guarded(hook: HookT) -> HookT:
    """Keep what a hook raises from the graph: it is counted and logged instead."""
    doing = f"handle {hook.__name__}"

    @functools.wraps(hook)
    def guarded(self: VisibilityCallbackHandler, *args: Any, **kwargs: Any) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            self.faults.note(doing, error)
            if self.raise_error:
                raise

    return cast("HookT", guarded)


class VisibilityCallbackHandler(GraphCallbackHandler):
    """Turns the LLM and tool calls of a LangGraph run into records.

    Pass it as `config={"callbacks": [handler]}`. One instance serves any number of graphs at once:
    hooks run inline on whichever thread or task makes the call, share one table of open runs, and
    take no longer than one small write. It never raises into the graph, unless `raise_error` is
    set for a test.

    Args:
        store: Where the concierge's own records go, and those of commis whose node names no store
            of its own; CommisStore() if none is given.
        sinks: Taken as well as the built-in files and log lines.
        logger: Where Tier 3 lines go; the `zerg_visibility` logger if none is given.
        redact: Applied to every text before it is stored or logged, where a commis has no such
            function of its own.
        clock: Where times come from; replaced in tests.
        raise_error: Let failures of watching reach the graph. For tests only: it breaks runs.
    """

    # Otherwise LangChain hands every event of an async graph to a thread pool: 240 µs an event,
    # and a stall once the pool is full of blocking tools.
    run_inline = True

    def __init__(
        self,
        store: CommisStore | None = None,
        *,
        sinks: Sequence[Sink] = (),
        logger: logging.Logger | None = None,
        redact: Redact | None = None,
        clock: Clock = SYSTEM_CLOCK,
        raise_error: bool = False,
    ) -> None:
        super().__init__()
        self.store = store if store is not None else CommisStore()
        self.faults = FaultLog(logger)
        self.clock = clock
        self.raise_error = raise_error
        self.redact = safely(redact, self.faults)
        self._sinks = FanoutSink(sinks, self.faults)
        self._sinks_and_log = FanoutSink((LogSink(logger), *sinks), self.faults)
        self._runs = RunTable()
        self._lock = threading.Lock()
        self._records = 0
        self._late_ends = 0

    # These hooks are not used; without the flags LangChain would call them all the same.
    # `ignore_agent` must stay False: LangChain's dispatch of tool events depends on it.

    @property
    def ignore_retriever(self) -> bool:
        """Ignore retrievers."""
        return True

    @property
    def ignore_retry(self) -> bool:
        """Ignore LangChain's retry event, which does not fire for most retries."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """Ignore custom events."""
        return True

    @property
    def stats(self) -> HandlerStats:
        """What this handler has done so far, as a frozen snapshot."""
        return HandlerStats(
            records=self._records,
            dropped_records=self.faults.dropped_records,
            failures=self.faults.failures,
            late_ends=self._late_ends,
            open_runs=len(self._runs),
        )

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended yet; 0 once everything has wound up."""
        return len(self._runs)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Flush the sinks; say whether all managed within the time. Files need no flush."""
        return self._sinks_and_log.flush(timeout_s)

    def close(self) -> None:
        """Close the sinks that were passed in."""
        self._sinks.close()

    # -- chain runs: which root and which commis an event belongs to ------------------------------

    @_guarded
    def on_chain_start(
        self,
        serialized: Any,  # noqa: ARG002 - LangChain's signature
        inputs: Any,  # noqa: ARG002
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """Note a chain run, so that what happens inside of it finds its root."""
        parent, root, commis = self._place(run_id, parent_run_id)
        entry = OpenRun(root, None if parent is None else parent.call)
        if commis is not None and commis.run_id is None and commis.owner is self:
            commis.run_id = run_id
            entry.commis = commis
        self._runs.add_chain(run_id, entry)

    @_guarded
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """Take a chain run out of the table."""
        entry = self._runs.pop_chain(run_id)
        if entry is None:
            return
        if entry.children:
            self._settle_children(entry, None)
        if entry.commis is not None:
            entry.commis.output = outputs
        if entry.root.run_id == run_id:
            self._end_root(entry.root, None)

    @_guarded
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Take a chain run out of the table; what failed is recorded by the calls themselves."""
        entry = self._runs.pop_chain(run_id)
        if entry is None:
            return
        if entry.children:
            self._settle_children(entry, error)
        if entry.commis is None:
            commis = current_commis.get()
            if commis is not None:
                commis.inner_error = error
        if entry.root.run_id == run_id:
            self._end_root(entry.root, error)

    @_guarded
    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Note that a commis which runs on its own waits for a human; nested ones raise."""
        entry = self._runs.get(event.run_id)
        if entry is not None and entry.commis is not None:
            entry.commis.interrupted = True

    # -- models -----------------------------------------------------------------------------------

    @_guarded
    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,  # noqa: ARG002 - LangChain's signature
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note that a chat model was called."""
        call = self._new_call("llm_call", run_id, parent_run_id, metadata or {}, tags)
        call.name = requested_model(metadata or {}, kwargs.get("invocation_params"))
        call.hint = phase_hint(metadata or {}, tags)
        call.schemas = output_schemas(kwargs.get("options"))
        self._start(call, call.name or serialized_name(serialized, kwargs.get("name")) or "model")

    # Old-style models have prompts where chat models have messages; nothing else differs.
    on_llm_start = on_chat_model_start  # type: ignore[assignment]

    @_guarded
    def on_llm_new_token(self, token: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: ARG002
        """Note when the first token came."""
        call = self._runs.get_call(run_id)
        if call is not None and call.first_token_ns is None:
            call.first_token_ns = self.clock.monotonic_ns()

    @_guarded
    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """Note when the first content came, under LangGraph's version 3 of streaming."""
        call = self._runs.get_call(run_id)
        if (
            call is not None
            and call.first_token_ns is None
            and isinstance(event, dict)
            and event.get("event") == "content-block-delta"
        ):
            call.first_token_ns = self.clock.monotonic_ns()

    @_guarded
    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """Record a finished model call."""
        ended_ns = self.clock.monotonic_ns()
        call = self._taken(run_id)
        if call is not None:
            self._record_llm(call, ended_ns, read_answer(response), None)

    @_guarded
    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, response: Any = None, **_: Any
    ) -> None:
        """Record a failed model call, with the tokens that had arrived."""
        ended_ns = self.clock.monotonic_ns()
        answer = read_answer(response)
        if isinstance(error, asyncio.CancelledError) and self._set_aside(run_id, ended_ns, answer):
            return
        call = self._taken(run_id)
        if call is not None and not isinstance(error, GraphBubbleUp):
            self._record_llm(call, ended_ns, answer, _reason(error, call.redact))

    # -- tools ------------------------------------------------------------------------------------

    @_guarded
    def on_tool_start(
        self,
        serialized: Any,
        input_str: Any,  # noqa: ARG002 - LangChain's signature
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note that a tool was called."""
        tool_call_id = kwargs.get("tool_call_id")
        call = self._new_call(
            "tool_call", run_id, parent_run_id, metadata or {}, tags, tool_call_id
        )
        call.tool_call_id = tool_call_id
        call.name = serialized_name(serialized, kwargs.get("name")) or "tool"
        self._start(call, call.name)

    @_guarded
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """Record a finished tool call; a tool may report its failure in its answer."""
        ended_ns = self.clock.monotonic_ns()
        call = self._taken(run_id)
        if call is None:
            return
        outcome = read_outcome(output)
        call.tool_call_id = call.tool_call_id or outcome.tool_call_id
        stored = self._store_output(call, output)
        error = None
        if not outcome.success:
            error = one_line(call.redact((outcome.error or "")[:20_000]), ERROR_MAX) or "error"
        self._record_tool(call, ended_ns, error, stored)

    @_guarded
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Record a failed tool call; an interrupt or a handoff is no failure."""
        ended_ns = self.clock.monotonic_ns()
        if isinstance(error, asyncio.CancelledError) and self._set_aside(run_id, ended_ns, None):
            return
        call = self._taken(run_id)
        if call is None:
            return
        if isinstance(error, ParentCommand):
            # It did what it was for: it handed over.
            self._record_tool(call, ended_ns, None, None)
        elif not isinstance(error, GraphBubbleUp):
            self._record_tool(call, ended_ns, _reason(error, call.redact), None)

    # -- for the commis node ----------------------------------------------------------------------

    def enclosing(self, parent_run_id: UUID | None) -> tuple[RootRun, str] | None:
        """Give the root run and the span that a commis is started in; None if nothing encloses it.

        Args:
            parent_run_id: The run that starts the commis, as its config's callbacks name it.
        """
        parent = self._runs.get(parent_run_id)
        if parent is None:
            return None
        return parent.root, self._parent_span(parent, current_commis.get(), parent.root)

    def end_commis(
        self, commis: CommisContext, reason: str, record: CommisRunRecord, outer: Journal | None
    ) -> None:
        """Close what a commis left open, and record its segment.

        Args:
            commis: The segment that ended.
            reason: Why calls that are still open stopped: "cancelled" or "timeout".
            record: The segment as a record.
            outer: The journal of the commis that started it; None if the concierge did.
        """
        survived = record.status in {"success", "interrupted"}
        for call in list(commis.open_calls):
            # A node that was cancelled without ending its commis had run into its own time limit.
            self._close_call(call, "timeout" if call.cut and survived else reason)
        if outer is None and commis.root.concierge_id is not None:
            outer = self._concierge_journal(commis.root)
        self._emit(record, outer, log=True)
        if commis.root.ended:
            # After a node's timeout= the root ends before the commis does.
            self._wind_up(commis.root)

    # -- inside -----------------------------------------------------------------------------------

    def _place(
        self, run_id: UUID, parent_run_id: UUID | None
    ) -> tuple[OpenRun | None, RootRun, CommisContext | None]:
        """Find what a new run is inside of; a run that nothing known encloses is a root."""
        commis = current_commis.get()
        parent = self._runs.get(parent_run_id)
        if parent is not None:
            return parent, parent.root, commis
        if commis is not None and commis.owner is self and not commis.ended:
            root = commis.root
            if root.run_id is None:
                root.run_id = run_id
            return None, root, commis
        return None, RootRun.of_run(run_id, self.clock.wall_us()), commis

    @staticmethod
    def _parent_span(parent: OpenRun | None, commis: CommisContext | None, root: RootRun) -> str:
        call = None if parent is None else parent.call
        if call is not None and call.context is commis:
            return call.span_id
        return root.span_id if commis is None else commis.span_id

    def _new_call(
        self,
        kind: Any,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: dict[str, Any],
        tags: list[str] | None,
        tool_call_id: str | None = None,
    ) -> OpenCall:
        parent, root, commis = self._place(run_id, parent_run_id)
        call = OpenCall(kind, run_id, root)
        call.parent = parent
        call.context = commis
        call.parent_span_id = self._parent_span(parent, commis, root)
        if commis is None:
            call.journal = self._concierge_journal(root)
        elif commis.owner is self:
            call.journal = commis.journal
        call.redact = self.redact if call.journal is None else call.journal.redact
        node = metadata.get("langgraph_node")
        call.node = node if isinstance(node, str) else None
        call.try_key = tool_call_id or metadata.get("langgraph_checkpoint_ns")
        call.attempt = max(
            1 if commis is None else commis.attempt, node_attempt(), retry_attempt(tags)
        )
        if call.attempt > 1 and commis is not None and commis.open_calls:
            # The attempt before ran into its node's time limit, or there would be none after it.
            for earlier in [c for c in commis.open_calls if c.cut and c.try_key == call.try_key]:
                self._close_call(earlier, "timeout")
        if call.journal is not None and call.try_key:
            call.attempt = max(call.attempt, 1 + call.journal.tries(call.try_key))
        return call

    def _start(self, call: OpenCall, name: str) -> None:
        self._runs.add_call(call)
        call.start_us = self.clock.wall_us()
        if call.context is not None and call.journal is not None:
            try:
                call.journal.start(
                    CallStart(
                        event=call.kind,
                        name=one_line(call.redact(name), NAME_MAX),
                        span_id=call.span_id,
                        start_us=call.start_us,
                    )
                )
            except Exception as error:
                self.faults.note("write a line of started.jsonl", error)
        # Last, so that our own writing is not counted as the call's time.
        call.start_ns = self.clock.monotonic_ns()

    def _taken(self, run_id: UUID) -> OpenCall | None:
        call = self._runs.pop_call(run_id)
        if call is None:
            with self._lock:
                self._late_ends += 1
        return call

    def _set_aside(self, run_id: UUID, ended_ns: int, answer: Answer | None) -> bool:
        """Keep a cancelled call until it is known whether a time limit was the reason."""
        call = self._runs.get_call(run_id)
        if call is None or call.root.run_id in {None, run_id}:
            return False
        call.cancelled = True
        call.stopped_ns = ended_ns
        call.answer = answer
        return True

    def _settle_children(self, entry: OpenRun, error: BaseException | None) -> None:
        """Decide what became of calls whose enclosing run has ended before them."""
        timed_out = isinstance(error, TimeoutError | NodeTimeoutError)
        for call in list(entry.children or ()):
            if timed_out:
                self._close_call(call, "timeout")
            elif error is None and call.cancelled:
                self._close_call(call, "cancelled")
            elif call.stopped_ns is None:
                # It may have been cancelled without a word, or go on in the background: a real end
                # still counts, but if none comes, it did not last longer than this.
                call.stopped_ns = self.clock.monotonic_ns()
                call.cut = isinstance(error, asyncio.CancelledError)

    def _close_call(self, open_call: OpenCall, reason: str) -> None:
        call = self._runs.pop_call(open_call.run_id)
        if call is None:
            return
        ended_ns = call.stopped_ns or self.clock.monotonic_ns()
        if call.kind == "llm_call":
            self._record_llm(call, ended_ns, call.answer or Answer(), reason)
        else:
            self._record_tool(call, ended_ns, reason, None)

    def _end_root(self, root: RootRun, error: BaseException | None) -> None:
        """Sweep what a root run left open, and close its file."""
        reason = "timeout" if isinstance(error, TimeoutError | NodeTimeoutError) else "cancelled"
        for call in list(root.calls.values()):
            # A commis closes its own calls: it may have a limit of its own, and is not yet over.
            if call.context is None or call.context.ended or call.context.owner is not self:
                self._close_call(call, reason)
        root.ended = True
        self._wind_up(root)

    def _wind_up(self, root: RootRun) -> None:
        self._runs.sweep_chains(root)
        if root.journal is not None:
            root.journal.close()

    def _concierge_journal(self, root: RootRun) -> Journal:
        with self._lock:
            if root.journal is None:
                root.journal = Journal(self.store, self.redact)
                if root.concierge_id is not None:
                    root.journal.open(layout.concierge_dir(self.store.root, root.concierge_id))
            return root.journal

    def _store_output(self, call: OpenCall, output: Any) -> tuple[str, int] | None:
        if call.context is None or call.journal is None or not call.journal.stores_outputs:
            return None
        try:
            return call.journal.store_output(call.name or "tool", call.redact(output_text(output)))
        except Exception as error:
            self.faults.note("store a tool's output", error)
            return None

    def _record_llm(self, call: OpenCall, ended_ns: int, answer: Answer, error: str | None) -> None:
        success = error is None
        journal = call.journal
        phase = call.hint
        if journal is not None:
            asks = not call.schemas.issuperset(answer.tool_names)
            phase = journal.phase(call.hint, success=success, asks_for_tools=asks)
            if call.try_key:
                if success:
                    journal.forget_tries(call.try_key)
                else:
                    journal.note_try(call.try_key)
        ttft_ms = None
        if call.first_token_ns is not None:
            ttft_ms = (call.first_token_ns - call.start_ns) // 1_000_000
        usage = answer.usage
        requested = _name(call.name, call)
        record = LLMCallRecord(
            phase=phase,
            model=_name(answer.served_model, call) or requested,
            start_us=call.start_us,
            end_us=call.start_us + max(0, ended_ns - call.start_ns) // 1000,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            ttft_ms=ttft_ms,
            requested_model=requested,
            cache_hit=answer.cache_hit or None,
            success=success,
            error=error,
            node=call.node,
            attempt=call.attempt,
            commis_id=None if call.context is None else call.context.commis_id,
            concierge_id=call.root.concierge_id,
            trace_id=call.root.trace_id,
            span_id=call.span_id,
            parent_span_id=call.parent_span_id,
        )
        self._emit_call(call, record)

    def _record_tool(
        self, call: OpenCall, ended_ns: int, error: str | None, stored: tuple[str, int] | None
    ) -> None:
        record = ToolCallRecord(
            tool=_name(call.name, call) or "tool",
            start_us=call.start_us,
            end_us=call.start_us + max(0, ended_ns - call.start_ns) // 1000,
            success=error is None,
            error=error,
            tool_call_id=call.tool_call_id,
            output_file=None if stored is None else stored[0],
            output_bytes=None if stored is None else stored[1],
            node=call.node,
            attempt=call.attempt,
            commis_id=None if call.context is None else call.context.commis_id,
            concierge_id=call.root.concierge_id,
            trace_id=call.root.trace_id,
            span_id=call.span_id,
            parent_span_id=call.parent_span_id,
        )
        self._emit_call(call, record)

    def _emit_call(self, call: OpenCall, record: LLMCallRecord | ToolCallRecord) -> None:
        self._emit(record, call.journal, log=call.journal is not None)
        context = call.context
        if context is not None and context.ended and context.on_late_record is not None:
            context.on_late_record()
        if call.root.run_id == call.run_id:
            # A model or tool that was called on its own is its own root.
            self._end_root(call.root, None)

    def _emit(self, record: Record, journal: Journal | None, *, log: bool) -> None:
        with self._lock:
            self._records += 1
        if journal is not None:
            try:
                journal.add(record)
            except Exception as error:
                self.faults.note(f"write a {record.event} to its file", error, dropped=1)
        (self._sinks_and_log if log else self._sinks).emit(record)


def _reason(error: BaseException, redact: Redact) -> str:
    """Say why a call failed."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    return error_text(error, redact)


def _name(name: str | None, call: OpenCall) -> str | None:
    return None if name is None else one_line(call.redact(name), NAME_MAX) or None
