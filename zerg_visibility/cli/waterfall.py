"""Drawing the calls of a run as bars on a terminal, one row a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.text import Text

from zerg_visibility.cli.output import KIND_STYLES, folded, labelled
from zerg_visibility.read.run import RunFiles
from zerg_visibility.read.scale import Scale, waits_to_fold
from zerg_visibility.read.waterfall import Row, rows_of
from zerg_visibility.status import UNENDED
from zerg_visibility.words import counted, length

MAX_ROWS = 200
"""More calls than this are shown by their first and last; `--json` and metrics.jsonl have all."""

UNSEEN_SHARE = 0.02
"""A difference between the bars and the time at work is explained from this share on."""

_TIME_COLUMNS = 8
_TOKEN_COLUMNS = 9
_BAR_LEAST = 10


class Glyphs(NamedTuple):
    """The characters that bars are made of."""

    full: str
    sliver: str
    open: str
    fold: str
    corner: str


UNICODE = Glyphs(full="█", sliver="▌", open="░", fold="┊", corner="└")
ASCII = Glyphs(full="#", sliver="|", open="~", fold=":", corner="\\")


def waterfall(run: RunFiles, *, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """Draw one line a call, and more for errors and for what is folded or left out."""
    every = rows_of(run)
    if not every:
        yield Text("No calls are recorded.", style="dim")
        return
    start_us = min(run.start_us, every[0].start_us)
    end_us = max(run.until_us, *(row.end_us for row in every))
    spans = [(row.start_us, row.end_us) for row in every]
    # Only so many can have been waits between segments.
    at_most = min(run.segments - 1, width // 10)
    waits = waits_to_fold(spans, start_us, end_us, at_most=at_most)
    shown_us = end_us - start_us - sum(wait.length_us for wait in waits)
    half, left_out = MAX_ROWS // 2, max(0, len(every) - MAX_ROWS)
    rows = [*every[:half], *every[-half:]] if left_out else every
    longest = max([12, *(len(row.name) + len(row.mark) + len(row.note) + 2 for row in rows)])
    label_width = min(longest, max(12, width * 34 // 100))
    beside = _TIME_COLUMNS + _TOKEN_COLUMNS + 2
    label_width = min(label_width, max(8, width - _BAR_LEAST - beside))
    bar_width = max(_BAR_LEAST, width - label_width - beside)
    scale = Scale(start_us, end_us, waits, bar_width)
    axis = "0" + length(shown_us).rjust(bar_width - 1)
    columns = f"{'time'.rjust(_TIME_COLUMNS)}{'tokens'.rjust(_TOKEN_COLUMNS)}"
    yield Text(f"{'call'.ljust(label_width)} {axis} {columns}", style="dim")
    for number, row in enumerate(rows):
        if left_out and number == half:
            more = counted(left_out, "more call")
            yield Text(f"... {more} between, all in metrics.jsonl ...", style="dim")
        yield _line(row, scale, label_width, glyphs)
        if row.error:
            yield from _error_lines(row.error, None if glyphs is ASCII else width - 4, glyphs)
    for wait in waits:
        waited = length(wait.length_us)
        yield Text(f"{glyphs.fold} {waited} in which nothing ran, not to scale", style="dim")
    if remark := _outside_work(run, shown_us):
        for line in folded(remark, None if glyphs is ASCII else width):
            yield Text(line, style="dim")


def _outside_work(run: RunFiles, shown_us: int) -> str | None:
    """Say why the bars go further than the time at work, where that can be seen."""
    if run.status in UNENDED or run.at_work_ms is None:
        return None
    outside_us = shown_us - 1000 * run.at_work_ms
    if outside_us < max(1000, shown_us * UNSEEN_SHARE):
        return None
    waited = run.segments > 1
    why = "it waited to be resumed" if waited else "its files were made, or a call outlasted it"
    return f"{length(outside_us)} of these {length(shown_us)} are not its time at work: {why}"


def _line(row: Row, scale: Scale, label_width: int, glyphs: Glyphs) -> Text:
    style, red = ("red", "red") if row.failed else (KIND_STYLES[row.kind], "")
    name, note = labelled(row.name, row.mark, row.note, label_width)
    tokens = "" if row.tokens is None else f"{row.tokens:,}"
    word = row.unended or ("failed" if row.failed else tokens)
    line = Text.assemble(
        (name, red), (note, "dim"), " ", _bar(row, scale, style, glyphs), " ",
        (row.took.rjust(_TIME_COLUMNS), red),
        (word.rjust(_TOKEN_COLUMNS), "yellow" if row.unended else style),
    )  # fmt: skip
    line.rstrip()
    return line


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
