"""Drawing the calls of a run as bars on a terminal, one row a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from zerg_visibility.cli.output import KIND_STYLES, folded, labelled
from zerg_visibility.read.run import RunFiles
from zerg_visibility.read.scale import Scale
from zerg_visibility.read.waterfall import Row, waterfall_of
from zerg_visibility.words import counted, length

_TIME_COLUMNS = 8
_TOKEN_COLUMNS = 9
_BAR_LEAST = 10


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


def waterfall(run: RunFiles, *, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """Draw one line a call, and more for errors and for what is folded or left out.

    Args:
        run: A commis, or a root run of a concierge.
        width: Columns of the terminal.
        glyphs: What to draw with.
    """
    shown = waterfall_of(run, most_waits=width // 10)
    if not shown.rows:
        yield Text("No calls are recorded.", style="dim")
        return
    longest = max([12, *(len(row.name) + len(row.mark) + len(row.note) + 2 for row in shown.rows)])
    label_width = min(longest, max(12, width * 34 // 100))
    beside = _TIME_COLUMNS + _TOKEN_COLUMNS + 2
    label_width = min(label_width, max(8, width - _BAR_LEAST - beside))
    bar_width = max(_BAR_LEAST, width - label_width - beside)
    scale = Scale(shown.start_us, shown.end_us, shown.waits, bar_width)
    yield _heading(label_width, bar_width, shown.shown_us)
    for number, row in enumerate(shown.rows):
        if shown.left_out and number == len(shown.rows) // 2:
            left_out = counted(shown.left_out, "more call")
            yield Text(f"... {left_out} between, all in metrics.jsonl ...", style="dim")
        yield _line(row, scale, label_width, glyphs)
        if row.error:
            yield from _error_lines(row.error, None if glyphs is ASCII else width - 4, glyphs)
    for wait in shown.waits:
        waited = length(wait.length_us)
        yield Text(f"{glyphs.fold} {waited} in which nothing ran, not to scale", style="dim")
    for remark in shown.remarks:
        for line in folded(remark, None if glyphs is ASCII else width):
            yield Text(line, style="dim")


def _heading(label_width: int, bar_width: int, shown_us: int) -> Text:
    axis = "0" + length(shown_us).rjust(bar_width - 1)
    return Text(
        f"{'call'.ljust(label_width)} {axis} {'time'.rjust(_TIME_COLUMNS)}"
        f"{'tokens'.rjust(_TOKEN_COLUMNS)}",
        style="dim",
    )


def _line(row: Row, scale: Scale, label_width: int, glyphs: Glyphs) -> Text:
    style = "red" if row.failed else KIND_STYLES[row.kind]
    line = _label(row, label_width)
    line.append(" ")
    line.append_text(_bar(row, scale, style, glyphs))
    line.append(" ")
    line.append(row.took.rjust(_TIME_COLUMNS), style="red" if row.failed else "")
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
