"""get_commis_metrics: the arithmetic over a commis's calls that models do badly."""

from __future__ import annotations

from zerg_visibility import words
from zerg_visibility.analysis.timeline import Timeline, call_name, timeline
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.records import CallStart, LLMCallRecord, ToolCallRecord
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.tools.access import ConciergeView
from zerg_visibility.tools.results import UNFINISHED, cost_text, up_to

MAX_CHARACTERS = 1_500
"""The longest answer."""

NAME_MAX = 30
ERROR_MAX = 80
SLOWEST_NAMED = 5
FAILURES_NAMED = 3
IN_FLIGHT_NAMED = 3


def read_metrics(view: ConciergeView, job_id: int | str) -> str:
    """Give totals, shares, slowest calls, failures, tokens and cost of a commis.

    Raises:
        ToolException: There is no such commis.
    """
    commis = view.find(job_id)
    metadata = commis.metadata
    read = view.store.records(commis.commis_id)
    now_us = SYSTEM_CLOCK.wall_us()
    at_work_ms = None if metadata is None else view.at_work_ms(metadata, now_us)
    calls = timeline(read.items, at_work_ms)
    lines = [f"Metrics of {commis.label}: {_standing(metadata, at_work_ms)}", ""]
    lines += _times(calls, at_work_ms)
    lines += _tokens_and_cost(calls.totals, metadata)
    if calls.calls:
        slowest = [
            f"{_name(c)} {words.duration(c.duration_ms)}" for c in calls.slowest(SLOWEST_NAMED)
        ]
        lines.append(f"Slowest calls: {', '.join(slowest)}.")
    lines += _failures(calls)
    if metadata is None or metadata.status in UNFINISHED:
        lost = metadata is not None and metadata.status == "lost"
        lines += _in_flight(view.store.calls_in_flight(commis.commis_id), now_us, lost=lost)
    if metadata is not None and metadata.dropped_records:
        lines.append(f"Not recorded: {words.counted(metadata.dropped_records, 'call')}.")
    lines += [read.remark] if read.remark else []
    text = "\n".join(lines)
    # Every part is cut to its own measure; this holds the promise if numbers are absurdly long.
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"


def _standing(metadata: CommisMetadata | None, at_work_ms: int | None) -> str:
    if metadata is None:
        return "its metadata.json cannot be read, so status and execution time are not known."
    time = "unknown" if at_work_ms is None else words.duration(at_work_ms)
    return f"status {metadata.status}, execution time {time}{up_to(metadata.status)}."


def _times(calls: Timeline, at_work_ms: int | None) -> list[str]:
    totals = calls.totals
    if not calls.calls:
        return ["No finished calls are recorded."]
    whole_ms = None if at_work_ms is None else calls.duration_ms
    lines = [
        _kind_of_call("LLM", calls.llm_ms, totals.llm_ms, totals.llm_calls, whole_ms)
        + _failed(totals.llm_failures),
        _kind_of_call("Tools", calls.tool_ms, totals.tool_ms, totals.tool_calls, whole_ms)
        + _failed(totals.tool_failures),
    ]
    if whole_ms is not None:
        lines.append(
            f"Other (no finished call running): {words.duration(calls.other_ms)}"
            f"{_share(calls.other_ms, whole_ms)}."
        )
    both_ms = calls.llm_ms + calls.tool_ms - calls.busy_ms
    if both_ms > 1:  # one may be left by rounding
        lines.append(f"LLM and tool calls overlapped for {words.duration(both_ms)}.")
    return lines


def _kind_of_call(kind: str, union_ms: int, sum_ms: int, count: int, whole_ms: int | None) -> str:
    if not count:
        return f"{kind}: no calls."
    added_up = f", {words.duration(sum_ms)} added up" if sum_ms > union_ms + 1 else ""
    share = "" if whole_ms is None else _share(union_ms, whole_ms)
    return f"{kind}: {words.duration(union_ms)}{share} in {words.counted(count, 'call')}{added_up}."


def _failed(failures: int) -> str:
    return f" Failed: {failures:,}." if failures else ""


def _share(part_ms: int, whole_ms: int) -> str:
    return f" ({100 * part_ms / whole_ms:.0f}%)" if whole_ms else ""


def _tokens_and_cost(totals: CommisTotals, metadata: CommisMetadata | None) -> list[str]:
    lines = []
    total = totals.total_tokens or totals.prompt_tokens + totals.completion_tokens
    if total:
        cached = f" ({totals.cached_tokens:,} cached)" if totals.cached_tokens else ""
        reasoning = f" ({totals.reasoning_tokens:,} reasoning)" if totals.reasoning_tokens else ""
        lines.append(
            f"Tokens: {total:,} in all, {totals.prompt_tokens:,} in{cached}, "
            f"{totals.completion_tokens:,} out{reasoning}."
        )
    if totals.calls_without_usage:
        lines.append(
            f"Tokens not counted: {words.counted(totals.calls_without_usage, 'LLM call')}."
        )
    unpriced = 0 if metadata is None else metadata.totals.unpriced_calls
    if cost := cost_text(totals.cost_usd, unpriced):
        lines.append(f"Cost: {cost}.")
    return lines


def _failures(calls: Timeline) -> list[str]:
    failures = calls.failures
    lines = [
        f"Failed: {_name(call)}: {words.one_line(call.error or 'no reason given', ERROR_MAX)}"
        for call in failures[:FAILURES_NAMED]
    ]
    more = len(failures) - len(lines)
    return [*lines, f"Failed: {more:,} more."] if more > 0 else lines


def _in_flight(starts: tuple[CallStart, ...], now_us: int, *, lost: bool) -> list[str]:
    if not starts:
        return []
    newest = sorted(starts, key=lambda start: -start.start_us)[:IN_FLIGHT_NAMED]
    named = [
        f"{words.one_line(str(start.name), NAME_MAX)} "
        f"({words.duration((now_us - start.start_us) // 1000)} {'ago' if lost else 'so far'})"
        for start in newest
    ]
    more = len(starts) - len(named)
    heading = "Begun and never finished" if lost else "In flight"
    return [f"{heading}: {', '.join(named)}" + (f" and {more:,} more." if more > 0 else ".")]


def _name(call: LLMCallRecord | ToolCallRecord) -> str:
    return words.one_line(call_name(call), NAME_MAX)
