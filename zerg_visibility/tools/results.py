"""read_commis_result: what a commis answered, how long it took, and how it stands if it did not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zerg_visibility import words
from zerg_visibility.analysis.timeline import Timeline, call_name, timeline
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.errors import FileNotInCommisError
from zerg_visibility.records import CallStart, CommisRunRecord, CommisStatus, LLMCallRecord, Record
from zerg_visibility.store.commis import CommisStore
from zerg_visibility.store.layout import RESULT
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.tools.access import ConciergeView, FoundCommis, commis_label
from zerg_visibility.tools.excerpt import excerpt

UNFINISHED = frozenset({"running", "interrupted", "lost"})
"""How a commis stands that has not ended, so that its result may still come or never will."""

NAME_MAX = 40
"""Characters of a tool's or model's name within a sentence."""

ERROR_MAX = 500
"""Characters of an error."""

LAST_NAMED = 3
"""Calls named as the last ones."""

_ENDED_BADLY = {
    "failed": "It failed",
    "cancelled": "It was cancelled",
    "timeout": "It ran into its time limit",
}
_WHAT_NEXT = {
    "running": "There is no result yet; read it again later.",
    "interrupted": "It waits for a human; there is no result before it is resumed.",
    "lost": "Its process is gone; no result will come unless it is started again.",
}


def read_result(view: ConciergeView, job_id: int | str) -> str:
    """Give the answer of a commis with its execution time.

    Raises:
        ToolException: There is no such commis.
    """
    commis = view.find(job_id)
    result = _bounded_result(view, commis)
    if commis.metadata is None:
        return _render_unreadable(view.store, commis, result)
    metadata = commis.metadata
    if metadata.status in UNFINISHED:
        records = view.store.records(commis.commis_id).items
        now_us = SYSTEM_CLOCK.wall_us()
        seen_us = view.store.last_sign_of_life(commis.commis_id)
        return render_result(
            metadata,
            result,
            timeline=timeline(records, metadata.duration_ms),
            last_event=describe_last_event(
                records, view.store.calls_in_flight(commis.commis_id), seen_us, now_us
            ),
            # One whose process is gone has not been at work since it last wrote something.
            now_us=seen_us if metadata.status == "lost" else now_us,
            detail=view.detail,
        )
    needs_calls = view.detail == "full" or metadata.status != "success"
    return render_result(
        metadata,
        result,
        timeline=timeline(view.store.records(commis.commis_id).items, metadata.duration_ms)
        if needs_calls
        else None,
        detail=view.detail,
    )


def render_result(
    metadata: CommisMetadata,
    result: str | None,
    *,
    timeline: Timeline | None = None,
    last_event: str | None = None,
    now_us: int | None = None,
    detail: str = "summary",
) -> str:
    """Put a commis's answer in the words that the concierge's model reads.

    Args:
        metadata: What is known of the commis.
        result: Its final text; None if it left none.
        timeline: Its calls; without them the totals of the metadata are used.
        last_event: What it did last, as `describe_last_event` says it.
        now_us: The moment up to which an unfinished one counts as at work, in microseconds since
            1970; None leaves the elapsed time out.
        detail: "full" adds a line with cost, tokens and times.
    """
    totals = timeline.totals if timeline is not None else metadata.totals
    numbers = _detail_line(metadata, timeline) if detail == "full" else None
    header = f"Result from {commis_label(metadata.job_id, metadata.commis_id)}:"
    if metadata.status in UNFINISHED:
        elapsed = elapsed_ms(metadata, now_us)
        until = up_to("lost") if metadata.status == "lost" else " since it started"
        since = "" if elapsed is None else f", {words.duration(elapsed)}{until}"
        if metadata.status == "interrupted" and metadata.duration_ms is not None:
            since += f", {words.duration(metadata.duration_ms)} at work"
        lines = [f"Not finished: status {metadata.status}{since}."]
        lines += [f"Last event: {last_event}."] if last_event else []
        lines += [numbers] if numbers else []
        finished = _finished_calls(totals, timeline)
        lines += [f"Finished so far: {finished}"] if finished else []
        lines.append(_WHAT_NEXT[metadata.status])
        return f"{header}\n\n" + "\n".join(lines)
    time = "unknown" if metadata.duration_ms is None else words.duration(metadata.duration_ms)
    above = f"{header}\n\nExecution time: {time}" + (f"\n{numbers}" if numbers else "")
    if metadata.status == "success":
        return f"{above}\n\n{result or 'It succeeded and left no result text.'}"
    error = f": {words.one_line(metadata.error, ERROR_MAX)}" if metadata.error else "."
    finished = _finished_calls(totals, timeline) or "no calls."
    return f"{above}\n\n{_ENDED_BADLY[metadata.status]}{error}\n\nFinished before that: {finished}"


def describe_last_event(
    records: Iterable[Record],
    in_flight: Sequence[CallStart],
    seen_us: int | None,
    now_us: int,
) -> str:
    """Say what an unfinished commis did last: the call in flight, else the last finished one.

    Args:
        records: Its finished calls.
        in_flight: Its calls that began and have no record.
        seen_us: When one of its files was last written, in microseconds since 1970.
        now_us: Now, likewise.
    """
    ended = [record for record in records if not isinstance(record, CommisRunRecord)]
    if in_flight:
        start = max(in_flight, key=lambda call: call.start_us)
        kind = "LLM call" if start.event == LLMCallRecord.event else "tool call"
        name = words.one_line(str(start.name), NAME_MAX)
        others = f" (one of {len(in_flight)} calls in flight)" if len(in_flight) > 1 else ""
        event = f"{kind} {name} started {_ago(start.start_us, now_us)}, not finished{others}"
    elif ended:
        last = max(ended, key=lambda record: record.end_us)
        kind = "LLM call" if isinstance(last, LLMCallRecord) else "tool call"
        how = "finished" if last.success else "failed"
        event = f"{kind} {words.one_line(call_name(last), NAME_MAX)} {how} "
        event += _ago(last.end_us, now_us)
    else:
        event = "no call so far"
    return event if seen_us is None else f"{event}; last sign of life {_ago(seen_us, now_us)}"


def up_to(status: CommisStatus) -> str:
    """Say up to when a time counts, to follow it; nothing if the commis has ended."""
    if status == "lost":
        return " until its last sign of life"
    return " so far" if status in UNFINISHED else ""


def elapsed_ms(metadata: CommisMetadata, now_us: int | None) -> int | None:
    """Measure from the first start to a moment; None if either is not known."""
    if now_us is None or metadata.started_us is None:
        return None
    return max(0, now_us - metadata.started_us) // 1000


def tokens_text(totals: CommisTotals) -> str | None:
    """Write the tokens: `12,345 (10,000 cached)`; None if no provider counted any."""
    total = totals.total_tokens or totals.prompt_tokens + totals.completion_tokens
    if not total:
        return None
    notes = [f"{totals.cached_tokens:,} cached"] if totals.cached_tokens else []
    if totals.calls_without_usage:
        notes.append(f"{words.counted(totals.calls_without_usage, 'call')} not counted")
    return f"{total:,}" + (f" ({', '.join(notes)})" if notes else "")


def cost_text(cost_usd: float | None, unpriced_calls: int) -> str | None:
    """Write the cost: `$0.0031`; None if no call was priced."""
    if cost_usd is None:
        return None
    unpriced = f" ({words.counted(unpriced_calls, 'call')} not priced)" if unpriced_calls else ""
    return words.money(cost_usd) + unpriced


def _detail_line(metadata: CommisMetadata, calls: Timeline | None) -> str | None:
    totals = metadata.totals if calls is None else calls.totals
    parts = []
    if cost := cost_text(totals.cost_usd, metadata.totals.unpriced_calls):
        parts.append(f"Cost: {cost}.")
    if tokens := tokens_text(totals):
        parts.append(f"Tokens: {tokens}.")
    times = []
    if totals.llm_calls:
        spent = words.duration(totals.llm_ms if calls is None else calls.llm_ms)
        times.append(f"LLM {spent} in {_calls('call', totals.llm_calls, totals.llm_failures)}")
    if totals.tool_calls:
        spent = words.duration(totals.tool_ms if calls is None else calls.tool_ms)
        times.append(f"tools {spent} in {_calls('call', totals.tool_calls, totals.tool_failures)}")
    if calls is not None and calls.calls:
        slowest = calls.slowest(1)[0]
        name = words.one_line(call_name(slowest), NAME_MAX)
        times.append(f"slowest: {name} {words.duration(slowest.duration_ms)}")
    if times:
        line = ", ".join(times)
        parts.append(f"{line[0].upper()}{line[1:]}.")
    return " ".join(parts) or None


def _finished_calls(totals: CommisTotals, calls: Timeline | None) -> str | None:
    """Write `3 LLM calls, 2 tool calls (1 failed). Last: ls, ssh_exec (failed).`."""
    parts = []
    if totals.llm_calls:
        parts.append(_calls("LLM call", totals.llm_calls, totals.llm_failures))
    if totals.tool_calls:
        parts.append(_calls("tool call", totals.tool_calls, totals.tool_failures))
    if not parts:
        return None
    text = f"{', '.join(parts)}."
    if calls is not None and calls.calls:
        last = sorted(calls.calls, key=lambda call: call.end_us)[-LAST_NAMED:]
        names = [
            words.one_line(call_name(call), NAME_MAX) + ("" if call.success else " (failed)")
            for call in last
        ]
        text += f" Last: {', '.join(names)}."
    return text


def _calls(noun: str, count: int, failures: int) -> str:
    return words.counted(count, noun) + (f" ({failures:,} failed)" if failures else "")


def _ago(moment_us: int, now_us: int) -> str:
    return f"{words.duration(max(0, now_us - moment_us) // 1000)} ago"


def _bounded_result(view: ConciergeView, commis: FoundCommis) -> str | None:
    try:
        with view.store.open_file(commis.commis_id, RESULT) as file:
            return excerpt(file, RESULT, view.max_bytes).text
    except FileNotInCommisError:
        return None


def _render_unreadable(store: CommisStore, commis: FoundCommis, result: str | None) -> str:
    calls = timeline(store.records(commis.commis_id).items, None)
    text = (
        f"Result from {commis.label}:\n\n"
        "Execution time: unknown\n\n"
        "Its metadata.json cannot be read, so its status and execution time are not known."
    )
    if finished := _finished_calls(calls.totals, calls):
        text += f"\nFinished calls took {words.duration(calls.busy_ms)}: {finished}"
    return f"{text}\n\n" + (f"Its result.txt says:\n\n{result}" if result else "It left no result.")
