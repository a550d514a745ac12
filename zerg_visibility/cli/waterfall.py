"""The calls of one commis as bars over time, one row a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from zerg_visibility.cli.output import clean, folded, labelled, length
from zerg_visibility.cli.scale import Scale, waits_to_fold
from zerg_visibility.read.commis import CommisNow
from zerg_visibility.read.timeline import call_name, is_cut_off, try_text
from zerg_visibility.records.calls import LLMCallRecord
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.records.started import CallStarted
from zerg_visibility.status import FAILED
from zerg_visibility.words import counted

MAX_ROWS = 200
"""More calls than this are shown by their first and last; `--json` and metrics.jsonl have all."""

UNSEEN_SHARE = 0.02
"""A difference between the bars and the time at work is explained from this share on."""

_STYLES = {"llm": "cyan", "tool": "green", "commis": "magenta"}
_TIME_COLUMNS = 8
_TOKEN_COLUMNS = 9
_BAR_LEAST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call as it is shown.

    Args:
        kind: What it is, which gives the bar its colour.
        name: Model, tool or nested commis.
        mark: Which of that name it is: `try 2` of a retry, `cut off` at a limit of tokens, the job
            of a nested commis.
        note: A lesser word on it: the phase of an LLM call.
        start_us: Microseconds since 1970.
        end_us: The same; for a call without an end, as far as it is known to have run.
        tokens: All tokens of it; None if nobody counted.
        failed: Whether it failed.
        unended: What became of it if it has no end; one that stopped did so nobody knows when.
        error: Why it failed.
    """

    kind: Literal["llm", "tool", "commis"]
    name: str
    mark: str = ""
    note: str = ""
    start_us: int
    end_us: int
    tokens: int | None = None
    failed: bool = False
    unended: Literal["open", "waiting", "stopped"] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that bars are made of."""

    full: str
    sliver: str
    open: str
    fold: str
    corner: str


UNICODE = Glyphs(full="█", sliver="▌", open="░", fold="┊", corner="└")
ASCII = Glyphs(full="#", sliver="|", open="~", fold=":", corner="\\")


def rows_of(commis: CommisNow) -> list[Row]:
    """Arrange the calls of a commis by start, those without an end among them."""
    calls, until_us = commis.calls, commis.until_us
    rows = [_finished(record) for record in commis.read.items]
    rows += [_unended(start, "open", until_us) for start in calls.in_flight]
    rows += [_unended(start, "waiting", until_us) for start in calls.waiting]
    rows += [_unended(start, "stopped", start.start_us) for start in calls.stopped]
    return sorted(rows, key=lambda row: (row.start_us, row.end_us))


def _unended(start: CallStarted, what: Literal["open", "waiting", "stopped"], until_us: int) -> Row:
    return Row(
        kind="llm" if start.event == LLMCallRecord.event else "tool",
        name=clean(start.name, 80),
        start_us=start.start_us,
        end_us=max(until_us, start.start_us),
        unended=what,
    )


def _finished(record: Record) -> Row:
    error = None if record.error is None else clean(record.error)
    if isinstance(record, CommisRunRecord):
        return Row(
            kind="commis",
            name=clean(record.name, 80),
            mark="commis" if record.job_id is None else f"job {clean(record.job_id, 20)}",
            start_us=record.start_us,
            end_us=record.end_us,
            failed=record.status in FAILED,
            error=error,
        )
    is_llm = isinstance(record, LLMCallRecord)
    return Row(
        kind="llm" if is_llm else "tool",
        name=clean(call_name(record), 80),
        mark=f"{try_text(record)}{' cut off' if is_cut_off(record) else ''}".strip(),
        note=clean(record.phase or "", 20) if isinstance(record, LLMCallRecord) else "",
        start_us=record.start_us,
        end_us=record.end_us,
        tokens=record.total_tokens if isinstance(record, LLMCallRecord) else None,
        failed=not record.success,
        error=error,
    )


def waterfall(
    rows: Sequence[Row],
    start_us: int,
    end_us: int,
    *,
    at_work_ms: int | None = None,
    waits: int,
    width: int,
    glyphs: Glyphs,
) -> Iterator[Text]:
    """Draw one line a call, and more for errors and for what is folded or left out.

    Args:
        rows: The calls, by start.
        start_us: When the commis began.
        end_us: When it ended, or how far it is known to have run.
        at_work_ms: How much of that is given as its time at work; None if it has not ended.
        waits: How often it can have waited between two stretches of work.
        width: Columns of the terminal.
        glyphs: What to draw with.
    """
    shown = [*rows[: MAX_ROWS // 2], *rows[-MAX_ROWS // 2 :]] if len(rows) > MAX_ROWS else rows
    start_us = min([start_us, *(row.start_us for row in rows)])
    end_us = max([end_us, *(row.end_us for row in rows)])
    long_waits = waits_to_fold(
        [(row.start_us, row.end_us) for row in rows],
        start_us,
        end_us,
        at_most=min(waits, width // 10),
    )
    longest = max([12, *(len(row.name) + len(row.mark) + len(row.note) + 2 for row in shown)])
    label_width = min(longest, max(12, width * 34 // 100))
    beside = _TIME_COLUMNS + _TOKEN_COLUMNS + 2
    label_width = min(label_width, max(8, width - _BAR_LEAST - beside))
    bar_width = max(_BAR_LEAST, width - label_width - beside)
    scale = Scale(start_us, end_us, long_waits, bar_width)
    shown_us = end_us - start_us - sum(wait.length_us for wait in long_waits)
    yield _heading(label_width, bar_width, shown_us)
    for number, row in enumerate(shown):
        if len(shown) < len(rows) and number == MAX_ROWS // 2:
            left_out = counted(len(rows) - len(shown), "more call")
            yield Text(f"... {left_out} between, all in metrics.jsonl ...", style="dim")
        yield _line(row, scale, label_width, glyphs)
        if row.error:
            yield from _error_lines(row.error, None if glyphs is ASCII else width - 4, glyphs)
    for wait in long_waits:
        waited = length(wait.length_us)
        yield Text(f"{glyphs.fold} {waited} in which nothing ran, not to scale", style="dim")
    if at_work_ms is not None:
        yield from _outside_work(shown_us, shown_us - 1000 * at_work_ms, waits)


def _outside_work(shown_us: int, outside_us: int, waits: int) -> Iterator[Text]:
    """Say why the bars go further than the time at work, where that can be seen."""
    if outside_us < max(1000, shown_us * UNSEEN_SHARE):
        return
    why = "it waited to be resumed" if waits else "its files were made, or a call outlasted it"
    said = f"{length(outside_us)} of these {length(shown_us)} are not its time at work: {why}"
    yield Text(said, style="dim")


def _heading(label_width: int, bar_width: int, shown_us: int) -> Text:
    axis = "0" + length(shown_us).rjust(bar_width - 1)
    return Text(
        f"{'call'.ljust(label_width)} {axis} {'time'.rjust(_TIME_COLUMNS)}"
        f"{'tokens'.rjust(_TOKEN_COLUMNS)}",
        style="dim",
    )


def _line(row: Row, scale: Scale, label_width: int, glyphs: Glyphs) -> Text:
    style = "red" if row.failed else _STYLES[row.kind]
    line = _label(row, label_width)
    line.append(" ")
    line.append_text(_bar(row, scale, style, glyphs))
    line.append(" ")
    took = length(row.end_us - row.start_us)
    time = {"open": f"{took}+", "stopped": "?"}.get(row.unended or "", took)
    line.append(time.rjust(_TIME_COLUMNS), style="red" if row.failed else "")
    tokens = "" if row.tokens is None else f"{row.tokens:,}"
    word = row.unended or ("failed" if row.failed else tokens)
    line.append(word.rjust(_TOKEN_COLUMNS), style="yellow" if row.unended else style)
    line.rstrip()
    return line


def _label(row: Row, width: int) -> Text:
    name, note = labelled(row.name, row.mark, row.note, width)
    return Text.assemble((name, "red" if row.failed else ""), (note, "dim"))


def _bar(row: Row, scale: Scale, style: str, glyphs: Glyphs) -> Text:
    first, after, is_sliver = scale.cells(row.start_us, row.end_us)
    glyph = glyphs.open if row.unended else glyphs.sliver if is_sliver else glyphs.full
    columns = [" "] * scale.width
    for column in scale.fold_columns:
        columns[min(column, scale.width - 1)] = glyphs.fold
    # Each part with a style of its own: one of the whole text would hold for the bar too.
    return Text.assemble(
        ("".join(columns[:first]), "dim"),
        (glyph * (after - first), style),
        ("".join(columns[after:]), "dim"),
    )


def _error_lines(error: str, room: int | None, glyphs: Glyphs) -> Iterator[Text]:
    for number, line in enumerate(folded(error, room)):
        lead = f"  {glyphs.corner} " if number == 0 else "    "
        yield Text(lead + line, style="red")
