"""VisibilityCallbackHandler: LangChain's events in, records out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NoReturn, Self
from uuid import UUID

from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent, GraphResumeEvent
from langgraph.errors import GraphBubbleUp, ParentCommand

from zerg_visibility.arguments import expect, expect_functions, expect_store
from zerg_visibility.callbacks.builder import RecordBuilder
from zerg_visibility.callbacks.context import current_commis
from zerg_visibility.callbacks.in_flight import OpenCallInfo
from zerg_visibility.callbacks.outcomes import Outcome, output_text, read_outcome
from zerg_visibility.callbacks.runs import OpenCall, RunId
from zerg_visibility.callbacks.starts import (
    known_id,
    output_schemas,
    phase_hint,
    requested_model,
    serialized_name,
)
from zerg_visibility.callbacks.stats import HandlerStats
from zerg_visibility.callbacks.tool_args import args_text
from zerg_visibility.callbacks.tracker import Tracker
from zerg_visibility.callbacks.usage import Answer, read_answer, with_usage
from zerg_visibility.clock import SYSTEM_CLOCK, Clock, never_failing
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.errortext import ERROR_MAX, error_text
from zerg_visibility.labels import Labels, checked_labels, redacted_labels
from zerg_visibility.nowhere_store import NowhereStore
from zerg_visibility.redaction import Redact, safely
from zerg_visibility.settings import root_is_set
from zerg_visibility.sinks.base import Sink
from zerg_visibility.words import one_line


class VisibilityCallbackHandler(GraphCallbackHandler):
    """Turns the LLM and tool calls of a LangGraph run into records.

    Pass it as `config={"callbacks": [handler]}`. One instance serves any number of graphs at once:
    hooks run inline on whichever thread or task makes the call, share one table of open runs, and
    take no longer than one small write. It never raises into the graph, unless `raise_error` is
    set for a test.

    Args:
        store: Where the concierge's own records go, and those of commis whose node names no store
            of its own. If none is given it is CommisStore(); but where `sinks` are given and no
            $ZERG_VISIBILITY_ROOT is set, nothing is kept on disk and records go to the sinks and
            the log alone. Pass `store=CommisStore()` to have files as well.
        sinks: Where records go beside files and log lines, such as `[MemorySink()]`.
        logger: Where Tier 3 lines go; the `zerg_visibility` logger if none is given.
        redact: Applied to every text before it is stored or logged, where a commis has no such
            function of its own.
        labels: What to call the runs, for comparing them with others, as in {"variant": "b"}; those
            in a run's own config, `metadata["zerg_labels"]`, count for more.
        clock: Where times come from; replaced in tests.
        raise_error: Let failures of watching reach the graph. For tests only: it breaks runs.

    Raises:
        ConfigurationError: An argument cannot be used; the message says what it must be.
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
        labels: Labels | None = None,
        clock: Clock = SYSTEM_CLOCK,
        raise_error: bool = False,
    ) -> None:
        super().__init__()
        expect_store(store)
        expect_functions({"redact": redact})
        expect("logger", logger, logger is None or isinstance(logger, logging.Logger), "a Logger")
        given: object = sinks
        are_sinks = isinstance(given, Sequence) and all(isinstance(sink, Sink) for sink in given)
        expect("sinks", sinks, are_sinks, "a list of objects with emit, flush and close")
        checked = checked_labels(labels)
        if store is None:
            # Who gives a sink of their own has said where records are to go.
            store = NowhereStore() if sinks and not root_is_set() else CommisStore()
        self.store = store
        self.diagnostics = Diagnostics(logger)
        self.clock = never_failing(
            clock, lambda error: self.diagnostics.note("read the clock", error)
        )
        self.raise_error = raise_error
        self.redact = safely(redact, self.diagnostics)
        self._builder = RecordBuilder(self.diagnostics, logger, sinks)
        self.tracker = Tracker(
            self.store,
            self.redact,
            self._builder,
            self.diagnostics,
            self.clock,
            redacted_labels(checked, self.redact),
        )
        """Knows which runs are open."""

    def __repr__(self) -> str:
        root = str(self.store.root) if self.store.keeps_files else None
        counts = f"records={self._builder.records}, open_runs={self.open_runs}"
        return f"VisibilityCallbackHandler(store={root!r}, {counts})"

    def __dir__(self) -> list[str]:
        # What our own modules need of a handler is not for users.
        return sorted({*super().__dir__()} - {"clock", "diagnostics", "redact", "tracker"})

    def __copy__(self) -> Self:
        """Give the handler itself: two could not share what is open."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Give the handler itself, also in a copy of a config."""
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a VisibilityCallbackHandler cannot be pickled, since it follows the runs of one "
            f"process; make one in each process, with the same store: "
            f"VisibilityCallbackHandler({self.store!r})"
        )

    @property
    def parent_run_id(self) -> UUID:
        """What LangChain asks for where it was given this handler instead of a list of handlers."""
        raise AttributeError('callbacks must be a list: write config={"callbacks": [handler]}')

    # These hooks are not used; without the flags LangChain would call them all the same.
    # `ignore_agent` must stay False: LangChain's dispatch of tool events depends on it.

    ignore_retriever = True
    ignore_retry = True  # it does not fire for most retries
    ignore_custom_event = True

    @property
    def stats(self) -> HandlerStats:
        """What this handler has done so far, as a frozen snapshot."""
        return HandlerStats(
            records=self._builder.records,
            dropped_records=self.diagnostics.dropped_records,
            failures=self.diagnostics.failures,
            late_ends=self.tracker.late_ends,
            open_runs=self.tracker.open_runs,
        )

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended yet; 0 once everything has wound up."""
        return self.tracker.open_runs

    def open_calls(self) -> list[OpenCallInfo]:
        """Give the calls and commis that are in flight, from any thread, for whoever watches."""
        return self.tracker.in_flight()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Flush the sinks; say whether all managed within the time. Files need no flush."""
        return self._builder.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Flush and close the sinks that were passed in; say whether all managed within the time.

        Files are closed as runs end. Calls that are in flight are recorded all the same, and so is
        what comes later, as far as the sinks take it.
        """
        return self._builder.close(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- chain runs: which root and which commis an event belongs to ------------------------------

    def on_chain_start(
        self,
        serialized: Any,  # noqa: ARG002 - LangChain's signature
        inputs: Any,  # noqa: ARG002
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        name: Any = None,
        **_: Any,
    ) -> None:
        """Note a chain run, so that what happens inside of it finds its root."""
        try:
            parent = parent_run_id.int if parent_run_id else None
            self.tracker.open_chain(run_id.int, parent, metadata, name)
        except Exception as failure:
            self._failed("handle on_chain_start", failure)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """Note that a chain run has ended; the commis's own one says what it returned."""
        try:
            self.tracker.close_chain(run_id.int, outputs, None)
        except Exception as failure:
            self._failed("handle on_chain_end", failure)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Note that a chain run has failed; what failed is recorded by the calls themselves."""
        try:
            self.tracker.close_chain(run_id.int, None, error)
        except Exception as failure:
            self._failed("handle on_chain_error", failure)

    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Note that a commis which runs on its own waits for a human; nested ones raise."""
        try:
            run_id = event.run_id.int if event.run_id else None
            self.tracker.note_interrupt(run_id, event.interrupts, event.checkpoint_id)
        except Exception as failure:
            self._failed("handle on_interrupt", failure)

    def on_resume(self, event: GraphResumeEvent) -> None:
        """Note that a graph goes on after an interrupt."""
        try:
            self.tracker.note_resume(
                event.run_id.int if event.run_id else None, event.checkpoint_id
            )
        except Exception as failure:
            self._failed("handle on_resume", failure)

    # -- models -----------------------------------------------------------------------------------

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        invocation_params: Any = None,
        options: Any = None,
        name: Any = None,
        **_: Any,
    ) -> None:
        """Note that a chat model was called."""
        try:
            known = metadata or {}
            parent = parent_run_id.int if parent_run_id else None
            call = self.tracker.new_call(
                "llm_call", run_id.int, parent, known, tags, asked=messages
            )
            call.name = call.shown(requested_model(known, invocation_params))
            provider = known.get("ls_provider")
            call.provider = call.shown(provider) if isinstance(provider, str) else None
            call.hint = call.shown(phase_hint(known, tags))
            call.schemas = output_schemas(options)
            self.tracker.start(
                call, call.name or call.shown(serialized_name(serialized, name)) or "model"
            )
        except Exception as failure:
            self._failed("handle on_chat_model_start", failure, dropped=1)

    # Old-style models have prompts where chat models have messages; nothing else differs.
    on_llm_start = on_chat_model_start  # type: ignore[assignment]

    def on_llm_new_token(
        self,
        token: Any,
        *,
        run_id: UUID,
        chunk: Any = None,
        **_: Any,
    ) -> None:
        """Note when the first content came, and usage: under `invoke` errors do not repeat it."""
        try:
            self.tracker.note_chunk(run_id.int, token, getattr(chunk, "message", None))
        except Exception as failure:
            self._failed("handle on_llm_new_token", failure)

    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """Note when the first content came, under LangGraph's version 3 of streaming."""
        try:
            if isinstance(event, dict) and event.get("event") == "content-block-delta":
                self.tracker.note_chunk(run_id.int, "content", None)
        except Exception as failure:
            self._failed("handle on_stream_event", failure)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """Record a finished model call."""
        try:
            ended_ns = self.clock.monotonic_ns()
            call = self.tracker.take(run_id.int)
            if call is not None:
                try:
                    answer = read_answer(response)
                except Exception as failure:  # an odd answer must not cost its record
                    self._failed("read a model's answer", failure)
                    answer = Answer()
                self._builder.llm_call(call, ended_ns, with_usage(answer, call.usage), None)
                self.tracker.end_if_root(call)
        except Exception as failure:
            self._failed("handle on_llm_end", failure, dropped=1)

    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, response: Any = None, **_: Any
    ) -> None:
        """Record a failed model call, with the tokens that had arrived."""
        try:
            ended_ns = self.clock.monotonic_ns()
            try:
                answer = read_answer(response)
            except Exception as failure:
                self._failed("read a model's answer", failure)
                answer = Answer()
            if self._is_set_aside(error, run_id.int, ended_ns, answer):
                return
            call = self.tracker.take(run_id.int, error)
            if call is None:
                return
            if not isinstance(error, GraphBubbleUp):
                answer = with_usage(answer, call.usage)
                self._builder.llm_call(call, ended_ns, answer, _reason(error, call))
            self.tracker.end_if_root(call)
        except Exception as failure:
            self._failed("handle on_llm_error", failure, dropped=1)

    # -- tools ------------------------------------------------------------------------------------

    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        name: Any = None,
        inputs: Any = None,
        tool_call_id: str | None = None,
        **_: Any,
    ) -> None:
        """Note that a tool was called."""
        try:
            call = self.tracker.new_call(
                "tool_call",
                run_id.int,
                parent_run_id.int if parent_run_id else None,
                metadata or {},
                tags,
                tool_call_id=known_id(tool_call_id),
            )
            call.name = call.shown(serialized_name(serialized, name)) or "tool"
            self.tracker.start(call, call.name, self._args(call, inputs, input_str))
        except Exception as failure:
            self._failed("handle on_tool_start", failure, dropped=1)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """Record a finished tool call; a tool may report its failure in its answer."""
        try:
            ended_ns = self.clock.monotonic_ns()
            call = self.tracker.take(run_id.int)
            if call is None:
                return
            try:
                outcome = read_outcome(output)
            except Exception as failure:
                self._failed("read a tool's answer", failure)
                outcome = Outcome()
            call.tool_call_id = call.tool_call_id or outcome.tool_call_id
            stored = self._output_file(call, output)
            error = None
            if not outcome.success:
                error = one_line(call.redact((outcome.error or "")[:20_000]), ERROR_MAX) or "error"
            self._builder.tool_call(call, ended_ns, error, stored)
            self.tracker.end_if_root(call)
        except Exception as failure:
            self._failed("handle on_tool_end", failure, dropped=1)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Record a failed tool call; an interrupt or a handoff is no failure."""
        try:
            ended_ns = self.clock.monotonic_ns()
            if self._is_set_aside(error, run_id.int, ended_ns, None):
                return
            call = self.tracker.take(run_id.int)
            if call is None:
                return
            if isinstance(error, ParentCommand):
                # It did what it was for: it handed over.
                self._builder.tool_call(call, ended_ns, None)
            elif not isinstance(error, GraphBubbleUp):
                self._builder.tool_call(call, ended_ns, _reason(error, call))
            self.tracker.end_if_root(call)
        except Exception as failure:
            self._failed("handle on_tool_error", failure, dropped=1)

    # -- inside -----------------------------------------------------------------------------------

    def _failed(self, doing: str, failure: Exception, dropped: int = 0) -> None:
        """Keep from the graph what went wrong in a hook: it is counted and logged instead."""
        self.diagnostics.note(doing, failure, dropped=dropped)
        commis = current_commis.get()
        if dropped and commis is not None and commis.owner is self.tracker:
            commis.run_log.count_dropped()
        if self.raise_error:
            raise failure

    def _is_set_aside(
        self, error: BaseException, run_id: RunId, ended_ns: int, answer: Answer | None
    ) -> bool:
        """Say whether a call was cancelled, and waits for whatever encloses it to say why."""
        cancelled = isinstance(error, asyncio.CancelledError)
        return cancelled and self.tracker.set_aside(run_id, ended_ns, answer)

    def _args(self, call: OpenCall, inputs: Any, input_str: str) -> str | None:
        """Give the arguments of a tool call if they are to be stored, and note their size."""
        try:
            log = call.run_log
            wanted = log is not None and log.stores_starts and log.stores_inputs
            text, call.args_bytes = args_text(inputs, input_str, call.redact, wanted=wanted)
            return text if wanted else None
        except Exception as error:
            self.diagnostics.note("read a tool's arguments", error, withheld=True)
            return None

    def _output_file(self, call: OpenCall, output: Any) -> tuple[str, int] | None:
        if call.inside is None or call.run_log is None or not call.run_log.stores_outputs:
            return None
        try:
            return call.run_log.store_output(call.name or "tool", call.redact(output_text(output)))
        except Exception as error:
            self.diagnostics.note("store a tool's output", error)
            return None


def _reason(error: BaseException, call: OpenCall) -> str:
    """Say why a call failed."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    # A tool may have started a commis, which may have secrets of its own.
    known = (call.inside or call.root).failures.text_of(error)
    if known is not None:
        return one_line(call.redact(known), ERROR_MAX)
    return error_text(error, call.redact)
