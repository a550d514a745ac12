"""Tier 1: what a commis answered, how long it took, and how it stands if it did not, in words."""

from __future__ import annotations

from zerg_visibility import words
from zerg_visibility.read.children import children_text
from zerg_visibility.read.commis import Commis, commis_label
from zerg_visibility.read.timeline import Timeline, call_name
from zerg_visibility.records.calls import LLMCallRecord
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.status import UNFINISHED
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals

NAME_MAX, ERROR_MAX, ASKED_MAX = 40, 500, 300
"""Characters of a tool's or model's name, of an error, and of a question to a human."""

LAST_NAMED = 3
"""Calls named as the last ones."""

_ENDED_BADLY: dict[str, str] = {
    "failed": "It failed",
    "cancelled": "It was cancelled",
    "timeout": "It ran into its time limit",
}
_WHAT_NEXT = {
    "running": "There is no result yet; read it again later.",
    "interrupted": "There is no result before a human has answered and it is resumed.",
    "lost": "Its process is gone; no result will come unless it is started again.",
}


def render_result(
    metadata: CommisMetadata,
    result: str | None,
    commis: Commis | None = None,
    *,
    detail: str = "summary",
) -> str:
    """Put a commis's answer in the words that the concierge's model reads.

    Without its calls, the totals of the metadata have to do. With them, "full" detail adds a line
    with cost, tokens and times.
    """
    numbers = _detail_line(metadata, commis) if commis and detail == "full" else ""
    header = f"Result from {commis_label(metadata.job_id, metadata.commis_id)}:"
    finished = finished_calls(metadata.totals, commis.timeline if commis else None)
    if metadata.status in UNFINISHED:
        lines = [
            f"Not finished: status {metadata.status}{_since(metadata, commis)}.",
            describe_last_event(commis) if commis else "",
            numbers,
            f"Finished so far: {finished}" if finished else "",
            _WHAT_NEXT[metadata.status],
        ]
        return f"{header}\n\n" + "\n".join(filter(None, lines))
    time = "unknown" if metadata.duration_ms is None else words.duration(metadata.duration_ms)
    above = f"{header}\n\nExecution time: {time}" + (f"\n{numbers}" if numbers else "")
    if metadata.status == "success":
        return f"{above}\n\n{result or 'It succeeded and left no result text.'}"
    error = f": {words.one_line(metadata.error, ERROR_MAX)}" if metadata.error else "."
    how = _ENDED_BADLY.get(metadata.status, f"It ended with status {metadata.status}")
    return f"{above}\n\n{how}{error}\n\nFinished before that: {finished or 'no calls.'}"


def _since(metadata: CommisMetadata, commis: Commis | None) -> str:
    """Say how long it is since an unfinished one started, if that is known."""
    since = ""
    if commis and metadata.started_us is not None:
        # One whose process is gone has not been at work since it last wrote something.
        is_lost = metadata.status == "lost"
        moment_us = commis.sign_of_life_us if is_lost else commis.now_us
        if moment_us is not None:
            until = up_to("lost") if is_lost else " since it started"
            passed_us = max(0, moment_us - metadata.started_us)
            since = f", {words.duration(passed_us // 1000)}{until}"
    if metadata.status == "interrupted" and metadata.duration_ms is not None:
        since += f", {words.duration(metadata.duration_ms)} at work"
    return since


def describe_last_event(commis: Commis) -> str:
    """Say what an unfinished commis waits for, else what is in flight, else what it did last."""
    now_us = commis.now_us
    if commis.status == "interrupted":
        return waiting_text(commis)
    told = {child.commis_id for child in commis.children}
    below = tuple(one for one in commis.commis_in_flight if one.commis_id in told)
    if started := commis.in_flight or below:
        call = max(started, key=lambda call: call.start_us)
        what = "commis" if started == below else "calls"
        others = f" (one of {len(started)} {what} in flight)" if len(started) > 1 else ""
        name = _what(call.event, call.name, call.job_id)
        event = f"{name} started {_ago(call.start_us, now_us)}, not finished{others}"
    elif commis.timeline.calls:
        last = max(commis.timeline.calls, key=lambda record: record.end_us)
        how = "finished" if last.success else "failed"
        event = f"{_what(last.event, call_name(last))} {how} {_ago(last.end_us, now_us)}"
    else:
        event = "no call so far"
    if commis.sign_of_life_us is not None:
        event += f"; last sign of life {_ago(commis.sign_of_life_us, now_us)}"
    return f"Last event: {event}."


def _what(event: str, name: str, job_id: int | None = None) -> str:
    kind = "LLM call" if event == LLMCallRecord.event else "tool call"
    if event == CommisRunRecord.event:
        kind = "commis" if job_id is None else f"commis #{job_id}"
    return f"{kind} {words.one_line(name, NAME_MAX)}"


def waiting_text(commis: Commis) -> str:
    """Write what asks a human and since when: `Waiting for a human: ask_human (23.5s so far).`."""
    named = [words.one_line(start.name, NAME_MAX) for start in reversed(commis.waiting)]
    who = f": {words.first_of(named, LAST_NAMED)}" if named else ""
    waited = words.duration(max(0, commis.now_us - commis.until_us) // 1000)
    question = words.one_line(commis.metadata.asked or "", ASKED_MAX)
    asked = f", asked: {question}" if question else "."
    return f"Waiting for a human{who} ({waited} so far){asked}"


def up_to(status: str) -> str:
    """Say up to when a time counts, to follow it; nothing if the commis has ended."""
    if status == "lost":
        return " until its last sign of life"
    return " so far" if status in UNFINISHED else ""


def cost_text(cost_usd: float | None, unpriced_calls: int) -> str | None:
    """Write the cost: `$0.0031`; None if no call was priced."""
    if cost_usd is None:
        return None
    unpriced = f" ({words.counted(unpriced_calls, 'call')} not priced)" if unpriced_calls else ""
    return words.money(cost_usd) + unpriced


def _detail_line(metadata: CommisMetadata, commis: Commis) -> str:
    calls, totals = commis.timeline, commis.timeline.totals
    parts = []
    if cost := cost_text(totals.cost_usd, metadata.totals.unpriced_calls):
        parts.append(f"Cost: {cost}.")
    if totals.all_tokens:
        notes = [f"{totals.cached_tokens:,} cached"] if totals.cached_tokens else []
        if totals.calls_without_usage:
            notes.append(f"{words.counted(totals.calls_without_usage, 'call')} not counted")
        noted = f" ({', '.join(notes)})" if notes else ""
        parts.append(f"Tokens: {totals.all_tokens:,}{noted}.")
    times = [
        f"{kind} {words.duration(ms)} in {_calls('call', count, failures)}"
        for kind, ms, count, failures in (
            ("LLM", calls.llm_ms, totals.llm_calls, totals.llm_failures),
            ("tools", calls.tool_ms, totals.tool_calls, totals.tool_failures),
        )
        if count
    ]
    for slowest in calls.slowest(1):
        name = words.one_line(call_name(slowest), NAME_MAX)
        times.append(f"slowest: {name} {words.duration(slowest.duration_ms)}")
    if times:
        line = ", ".join(times)
        parts.append(f"{line[0].upper()}{line[1:]}.")
    if below := children_text(commis.children, metadata.descendants, totals):
        parts.append(below)
    return " ".join(parts)


def finished_calls(totals: CommisTotals, calls: Timeline | None) -> str | None:
    """Write `3 LLM calls, 2 tool calls (1 failed). Last: ls, ssh_exec (failed).`."""
    totals = calls.totals if calls else totals
    parts = [
        _calls("LLM call", totals.llm_calls, totals.llm_failures) if totals.llm_calls else "",
        _calls("tool call", totals.tool_calls, totals.tool_failures) if totals.tool_calls else "",
    ]
    if not any(parts):
        return None
    text = f"{', '.join(filter(None, parts))}."
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
