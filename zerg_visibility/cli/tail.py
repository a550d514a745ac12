"""`zerg-visibility tail`: every record of every commis, as it is written."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from zerg_visibility.cli.options import is_there, json_option, root_option
from zerg_visibility.cli.output import (
    KIND_STYLES,
    STATUS_STYLES,
    clean,
    fitted,
    labelled,
    make_console,
    on_terminal,
    short_count,
    write_json,
)
from zerg_visibility.clock import format_us
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.read.follow import Follower, News
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
    with suppress(KeyboardInterrupt):
        follower = Follower(store, from_start=from_start)
        quiet_since = time.monotonic()
        while True:
            is_there(store)  # every time, since one that may not be read would only look quiet
            news = follower.poll()
            for item in news:
                if as_json:
                    write_json(_to_dict(item))
                elif console is not None:
                    _print_coloured(console, item)
                else:
                    sys.stdout.write("  ".join(text for text, _ in _parts(item)) + "\n")
            if news:
                sys.stdout.flush()  # or a pipe would keep the lines back until it is full
            if news or follower.at_work or follower.behind:
                quiet_since = time.monotonic()
            elif exit_when_idle is not None and time.monotonic() - quiet_since >= exit_when_idle:
                return
            if not follower.behind:
                _wait(POLL_S)


def _wait(seconds: float) -> None:
    """Let time pass, and notice meanwhile if the program that reads our output has ended.

    A broken pipe is otherwise seen only when something is written, which may never be.
    """
    try:
        output = sys.stdout.fileno()
        mode = os.fstat(output).st_mode
    except (io.UnsupportedOperation, AttributeError, OSError):
        mode = 0  # no output that could break
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        time.sleep(seconds)
        return
    poll = select.poll()
    poll.register(output, 0)  # errors and hang-ups are reported unasked
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


def _to_dict(item: News) -> dict[str, Any]:
    """Give the JSON object of a piece of news; a record keeps every field of its line."""
    commis = item.commis
    if item.record is not None:
        # The run of a nested commis names that commis itself, which is what its line is about.
        return {"job_id": commis.job_id, **orjson.loads(item.line)}
    line = {"event": item.event, "job_id": commis.job_id, "commis_id": commis.commis_id}
    if item.event == "commis_started":
        return {
            **line, "name": commis.name, "task": commis.task, "segments": commis.segments,
            "resumed": item.resumed, "start_ts": format_us(item.at_us),
        }  # fmt: skip
    if item.event == "commis_ended":
        return {
            **line, "name": commis.name, "status": commis.status, "end_ts": format_us(item.at_us),
            "duration_ms": commis.duration_ms, "error": commis.error,
        }  # fmt: skip
    return line


def _parts(item: News, width: int | None = None) -> list[tuple[str, str]]:
    """Write a piece of news as pieces of one line, each with its style.

    On a terminal of this width names are cut, so that times stand below each other; in a pipe all
    texts are whole.
    """
    commis = item.commis
    job = "-" if commis.job_id is None else str(commis.job_id)
    name = f"{clean(commis.name, 20):<12}" if width is None else fitted(clean(commis.name, 20), 12)
    line = [(format_us(item.at_us)[11:19], "dim"), (f"{job:>4}", "bold"), (name, "")]
    if item.record is not None:
        return [*line, *_record_parts(item.record, width)]
    if item.event == "commis_started":
        word = f"resumed, segment {commis.segments}" if item.resumed else "started"
        return [*line, (f"{word}: {clean(commis.task, 200)}", STATUS_STYLES["running"])]
    if item.event == "commis_ended":
        took = "" if commis.duration_ms is None else f" after {duration(commis.duration_ms)}"
        why = f": {clean(commis.error)}" if commis.error else ""
        return [*line, (f"{commis.status}{took}{why}", STATUS_STYLES.get(commis.status, ""))]
    return [*line, ("a line of its metrics.jsonl is unreadable", "yellow")]


def _record_parts(record: Record, width: int | None) -> list[tuple[str, str]]:
    row = row_of(record)
    outcome: tuple[str, str]
    if isinstance(record, CommisRunRecord):
        label = (row.name, f"({row.mark})", "")
        outcome = (record.status, STATUS_STYLES.get(record.status, ""))
    else:
        label = (row.name, try_text(record), row.note)
        outcome = ("ok", "green") if record.success else ("failed", "red")
        if record.success and is_cut_off(record):
            outcome = ("cut off", "yellow")
    took = f"{duration(record.duration_ms):>7}"
    parts = [(f"{row.kind:<6}", KIND_STYLES[row.kind]), (_label(*label, width), ""), (took, "")]
    count = []
    if row.tokens is not None:  # on a terminal short, or it would be cut
        long = counted(row.tokens, "token")
        count = [(long if width is None else f"{short_count(row.tokens)} tok", "")]
    return [*parts, outcome, *count, *([(row.error, "red")] if row.error else [])]


def _label(name: str, mark: str, note: str, width: int | None) -> str:
    if width is None:
        return f"{' '.join(part for part in (name, mark, note) if part):<26}"
    columns = min(_LABEL_MOST, max(_LABEL_LEAST, width - _BESIDE_LABEL))
    return "".join(labelled(name, mark, note, columns))


def _print_coloured(console: Console, item: News) -> None:
    from rich.text import Text

    lines = [_parts(item, console.width)]
    if item.record is not None and item.record.error:
        # Beside the columns of the call there would hardly be room for it.
        text, style = lines[0].pop()
        lines.append([(" " * _ERROR_INDENT + text, style)])
    for pieces in lines:
        line = Text("  ").join(Text(text, style=style) for text, style in pieces)
        line.truncate(max(console.width, _LINE_LEAST), overflow="ellipsis")
        console.print(line, soft_wrap=True)
