"""`zerg-visibility tail`: every record of every commis, as it is written."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from zerg_visibility.cli.options import is_there, json_option, root_option
from zerg_visibility.cli.output import (
    KIND_STYLES,
    clean,
    fitted,
    labelled,
    make_console,
    on_terminal,
    short_count,
    style_of,
    write_json,
)
from zerg_visibility.cli.reader import Reader
from zerg_visibility.clock import format_us
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.read.follow import (
    CommisEnded,
    CommisStarted,
    Follower,
    LineUnreadable,
    News,
    RecordSeen,
)
from zerg_visibility.read.timeline import is_cut_off, try_text
from zerg_visibility.read.waterfall import row_of
from zerg_visibility.records.codec import Record
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.words import counted, duration

if TYPE_CHECKING:
    from rich.console import Console

POLL_S = 0.25
"""How long what happened may take to be shown."""

_BESIDE_LABEL = 62
"""Columns that a line takes beside the name of the call."""

_LABEL_LEAST, _LABEL_MOST = 14, 50

_ERROR_INDENT = 16
"""Below the name of the commis."""

_LINE_LEAST = 72
"""On a terminal of fewer columns lines are folded, since cutting would take times and outcomes."""


@click.command()
@click.option("--from-start", is_flag=True, help="Show first what is there already.")
@click.option(
    "--exit-when-idle",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="For scripts: end once no commis has been at work and nothing new came for so long.",
)
@json_option
@root_option
def tail(from_start: bool, exit_when_idle: float | None, as_json: bool, root: Path) -> None:
    """Follow all commis live, one line a record; Ctrl-C ends it.

    Waits for the store if it does not exist yet. With --json, each line is the record as it stands
    in metrics.jsonl, preceded by its job_id; commis_started and commis_ended stand between them.
    """
    store = CommisStore(root)
    if not is_there(store):
        click.echo(f"Waiting for the store {store.root}", err=True)
    console = make_console() if not as_json and on_terminal() else None
    try:
        _follow(store, Follower(store, from_start=from_start), exit_when_idle, as_json, console)
    except KeyboardInterrupt:
        return


def _follow(
    store: CommisStore,
    follower: Follower,
    exit_when_idle: float | None,
    as_json: bool,
    console: Console | None,
) -> None:
    reader = Reader()
    quiet_since = time.monotonic()
    while True:
        is_there(store)  # every time, since one that may not be read would only look quiet
        news = follower.poll()
        for item in news:
            if as_json:
                write_json(to_dict(item))
            elif console is not None:
                _print_coloured(console, item)
            else:
                sys.stdout.write("  ".join(text for text, _ in parts(item)) + "\n")
        if news:
            sys.stdout.flush()  # or a pipe would keep the lines back until it is full
        if news or follower.at_work or follower.behind:
            quiet_since = time.monotonic()
        elif exit_when_idle is not None and time.monotonic() - quiet_since >= exit_when_idle:
            return
        if not follower.behind:
            reader.wait(POLL_S)


def to_dict(item: News) -> dict[str, Any]:
    """Give the JSON object of a piece of news; a record keeps every field of its line."""
    commis = item.commis
    whose = {"job_id": commis.job_id, "commis_id": commis.commis_id}
    if isinstance(item, CommisStarted):
        return {
            "event": "commis_started", **whose, "name": commis.name, "task": commis.task,
            "segments": commis.segments, "resumed": item.resumed, "start_ts": format_us(item.at_us),
        }  # fmt: skip
    if isinstance(item, CommisEnded):
        return {
            "event": "commis_ended", **whose, "name": commis.name, "status": commis.status,
            "end_ts": format_us(item.at_us), "duration_ms": commis.duration_ms,
            "error": commis.error,
        }  # fmt: skip
    if isinstance(item, LineUnreadable):
        return {"event": "line_unreadable", **whose}
    # The run of a nested commis names that commis itself, which is what its line is about.
    return {"job_id": commis.job_id, **orjson.loads(item.line)}


def parts(item: News, width: int | None = None) -> list[tuple[str, str]]:
    """Write a piece of news as pieces of one line, each with its style.

    Args:
        item: The news.
        width: Columns of the terminal, where names are cut so that times stand below each other;
            None to leave all texts whole, as is right for a pipe.
    """
    commis = item.commis
    job = "-" if commis.job_id is None else str(commis.job_id)
    name = f"{clean(commis.name, 20):<12}" if width is None else fitted(clean(commis.name, 20), 12)
    line = [(format_us(item.at_us)[11:19], "dim"), (f"{job:>4}", "bold"), (name, "")]
    if isinstance(item, CommisStarted):
        word = f"resumed, segment {commis.segments}" if item.resumed else "started"
        return [*line, (f"{word}: {clean(commis.task, 200)}", style_of("running"))]
    if isinstance(item, CommisEnded):
        took = "" if commis.duration_ms is None else f" after {duration(commis.duration_ms)}"
        why = f": {clean(commis.error)}" if commis.error else ""
        return [*line, (f"{commis.status}{took}{why}", style_of(commis.status))]
    if isinstance(item, LineUnreadable):
        return [*line, ("a line of its metrics.jsonl is unreadable", "yellow")]
    return [*line, *_record_parts(item.record, width)]


def _record_parts(record: Record, width: int | None) -> list[tuple[str, str]]:
    row = row_of(record)
    took = (f"{duration(record.duration_ms):>7}", "")
    error = [(row.error, "red")] if row.error else []
    kind = (f"{row.kind:<6}", KIND_STYLES[row.kind])
    if isinstance(record, CommisRunRecord):
        name = _label(row.name, f"({row.mark})", "", width)
        return [kind, (name, ""), took, (record.status, style_of(record.status)), *error]
    outcome = ("ok", "green") if record.success else ("failed", "red")
    if record.success and is_cut_off(record):
        outcome = ("cut off", "yellow")
    name = _label(row.name, try_text(record), row.note, width)
    count = []
    if row.tokens is not None:  # on a terminal short, or it would be cut
        long = counted(row.tokens, "token")
        count = [(long if width is None else f"{short_count(row.tokens)} tok", "")]
    return [kind, (name, ""), took, outcome, *count, *error]


def _label(name: str, mark: str, note: str, width: int | None) -> str:
    if width is None:
        return f"{' '.join(part for part in (name, mark, note) if part):<26}"
    columns = min(_LABEL_MOST, max(_LABEL_LEAST, width - _BESIDE_LABEL))
    return "".join(labelled(name, mark, note, columns))


def _print_coloured(console: Console, item: News) -> None:
    from rich.text import Text

    lines = [parts(item, console.width)]
    if isinstance(item, RecordSeen) and item.record.error:
        # Beside the columns of the call there would hardly be room for it.
        text, style = lines[0].pop()
        lines.append([(" " * _ERROR_INDENT + text, style)])
    for pieces in lines:
        line = Text("  ").join(Text(text, style=style) for text, style in pieces)
        line.truncate(max(console.width, _LINE_LEAST), overflow="ellipsis")
        console.print(line, soft_wrap=True)
