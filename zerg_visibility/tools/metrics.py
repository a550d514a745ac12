"""get_commis_metrics: the arithmetic over a commis's calls that models do badly."""

from __future__ import annotations

from zerg_visibility import words
from zerg_visibility.read.children import children_text
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.result import cost_text, up_to, waiting_text
from zerg_visibility.read.timeline import Timeline, call_name, try_text
from zerg_visibility.records.calls import LLMCallRecord, ToolCallRecord
from zerg_visibility.tools.access import ConciergeView

MAX_CHARACTERS = 1_500
"""The longest answer."""

ERROR_LIMITS = (500, 300, 200, 120, 80, 40)
"""Characters of an error: as many of them as there is room for."""

NAME_MAX = 30
SLOWEST_NAMED = 5
FAILURES_NAMED = 3
RETRIES_NAMED = 3
IN_FLIGHT_NAMED = 3


def read_metrics(view: ConciergeView, job_id: int | str) -> str:
    """Give totals, shares, slowest calls, failures, retries, tokens and child jobs of a commis."""
    now = view.find(job_id).read()
    times, metadata = now.timeline, now.metadata
    standing = "its metadata.json cannot be read, so status and execution time are not known"
    if now.problem is None:
        time = "unknown" if now.at_work_ms is None else words.duration(now.at_work_ms)
        standing = f"status {now.status}, execution time {time}{up_to(now.status)}"
    above = [f"Metrics of {now.label}: {standing}.", "", *_times(now)]
    above += _tokens_and_cost(times, metadata.totals.unpriced_calls)
    if below := children_text(now.children, metadata.descendants, times.totals):
        above.append(below)
    if slowest := times.slowest(SLOWEST_NAMED):
        named = [f"{_name(call)} {words.duration(call.duration_ms)}" for call in slowest]
        above.append(f"Slowest calls: {', '.join(named)}.")
    retries = [call for call in times.calls if try_text(call)]
    if named := [_name(call) + ("" if call.success else " (failed)") for call in retries]:
        above.append(f"Retries: {words.first_of(named, RETRIES_NAMED)}.")
    last = _unended(now)
    if metadata.dropped_records:
        last.append(f"Not recorded: {words.counted(metadata.dropped_records, 'call')}.")
    last += [now.records.remark] if now.records.remark else []
    text = ""
    for limit in ERROR_LIMITS:
        text = "\n".join([*above, *_failures(times, limit), *last])
        if len(text) <= MAX_CHARACTERS:
            return text
    # Every part is cut to its own measure; this holds the promise if numbers are absurdly long.
    return f"{text[: MAX_CHARACTERS - 1]}…"


def _times(now: Commis) -> list[str]:
    calls, totals = now.timeline, now.timeline.totals
    whole_ms = None if now.at_work_ms is None else calls.duration_ms
    lines = [
        _kind_of_call(*kind, whole_ms)
        for kind in (
            ("LLM", calls.llm_ms, totals.llm_ms, totals.llm_calls, totals.llm_failures),
            ("Tools", calls.tool_ms, totals.tool_ms, totals.tool_calls, totals.tool_failures),
        )
    ]
    if not calls.calls:
        lines = ["No finished calls are recorded."]
    if calls.open_ms:
        lines.append(
            f"Calls not finished: {words.duration(calls.open_ms)}{_share(calls.open_ms, whole_ms)}."
        )
    if whole_ms is not None and (calls.calls or calls.open_ms):
        whose = "of its own " if now.children else ""
        lines.append(
            f"Other (no call {whose}running): {words.duration(calls.other_ms)}"
            f"{_share(calls.other_ms, whole_ms)}."
        )
    both_ms = calls.llm_ms + calls.tool_ms - calls.busy_ms
    if both_ms > 1:  # one may be left by rounding
        lines.append(f"LLM and tool calls overlapped for {words.duration(both_ms)}.")
    return lines


def _kind_of_call(
    kind: str, union_ms: int, sum_ms: int, count: int, failures: int, whole_ms: int | None
) -> str:
    if not count:
        return f"{kind}: no calls."
    added_up = f", {words.duration(sum_ms)} added up" if sum_ms > union_ms + 1 else ""
    took = f"{words.duration(union_ms)}{_share(union_ms, whole_ms)}"
    failed = f" Failed: {failures:,}." if failures else ""
    return f"{kind}: {took} in {words.counted(count, 'call')}{added_up}.{failed}"


def _share(part_ms: int, whole_ms: int | None) -> str:
    return f" ({100 * part_ms / whole_ms:.0f}%)" if whole_ms else ""


def _tokens_and_cost(calls: Timeline, unpriced_calls: int) -> list[str]:
    lines, totals = [], calls.totals
    if totals.all_tokens:
        cached = f" ({totals.cached_tokens:,} cached)" if totals.cached_tokens else ""
        reasoning = f" ({totals.reasoning_tokens:,} reasoning)" if totals.reasoning_tokens else ""
        lines.append(
            f"Tokens: {totals.all_tokens:,} in all, {totals.prompt_tokens:,} in{cached}, "
            f"{totals.completion_tokens:,} out{reasoning}."
        )
    if totals.calls_without_usage:
        lines.append(
            f"Tokens not counted: {words.counted(totals.calls_without_usage, 'LLM call')}."
        )
    if calls.cut_off:
        lines.append(f"Cut off at the token limit: {words.counted(calls.cut_off, 'LLM call')}.")
    if cost := cost_text(totals.cost_usd, unpriced_calls):
        lines.append(f"Cost: {cost}.")
    return lines


def _failures(calls: Timeline, limit: int) -> list[str]:
    failures = [call for call in calls.calls if not call.success]
    lines = [
        f"Failed: {_name(call)}: {words.one_line(call.error or 'no reason given', limit)}"
        for call in failures[:FAILURES_NAMED]
    ]
    more = len(failures) - len(lines)
    return [*lines, f"Failed: {more:,} more."] if more > 0 else lines


def _unended(now: Commis) -> list[str]:
    if now.status == "interrupted":
        return [waiting_text(now)]
    starts = now.in_flight
    if not starts:
        return []
    running = now.status == "running"
    since = "so far" if running else "ago"
    named = [
        f"{words.one_line(start.name, NAME_MAX)} "
        f"({words.duration((now.now_us - start.start_us) // 1000)} {since})"
        for start in sorted(starts, key=lambda start: -start.start_us)
    ]
    heading = "In flight" if running else "Begun and never finished"
    return [f"{heading}: {words.first_of(named, IN_FLIGHT_NAMED)}."]


def _name(call: LLMCallRecord | ToolCallRecord) -> str:
    return f"{words.one_line(call_name(call), NAME_MAX)} {try_text(call)}".rstrip()
