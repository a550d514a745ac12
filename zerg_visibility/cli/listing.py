"""`zerg-visibility list`: the latest commis, or runs of concierges, newest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import click

from zerg_visibility.cli.options import json_option, open_store, root_option
from zerg_visibility.cli.output import (
    STATUS_STYLES,
    age,
    clean,
    make_console,
    on_terminal,
    short_count,
    write_json,
)
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.concierge import Concierge
from zerg_visibility.settings import at_root
from zerg_visibility.status import STATUSES
from zerg_visibility.words import counted, duration

MAX_LIMIT = 1_000_000
"""The most commis in one list."""

_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([mhd]?)", re.ASCII)
_HOUR_US = 3_600_000_000
_UNITS_US = {"m": _HOUR_US // 60, "h": _HOUR_US, "d": 24 * _HOUR_US, "": _HOUR_US}


def _span_us(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = _SPAN.fullmatch(value)
    length_us = round(float(found[1]) * _UNITS_US[found[2]]) if found else 0
    if length_us <= 0:
        raise click.BadParameter(
            f"{value!r} is not a time such as 90m, 1h, 2d, or a number of hours"
        )
    return length_us


@click.command("list")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True,
              metavar="N", help="Show at most N.")  # fmt: skip
@click.option("--status", "statuses", type=click.Choice(STATUSES), multiple=True,
              help="Only commis with this status; may be given several times.")  # fmt: skip
@click.option("--since", "since_us", callback=_span_us, metavar="TIME",
              help="Only commis begun within TIME: 90m, 1h, 2d, or a number of hours.")  # fmt: skip
@click.option("--runs", is_flag=True, help="List the runs of concierges, not the commis.")
@json_option
@root_option
def list_commis(
    limit: int,
    statuses: tuple[str, ...],
    since_us: int | None,
    runs: bool,
    as_json: bool,
    root: Path,
) -> None:
    """List commis, newest first: how they stand, their time, calls and tokens.

    With --runs, the root runs of concierges: each graph that ran with the handler and made calls or
    started commis. Calls and tokens are then those of the run itself, without those of its commis;
    `commis` says how many it started, and `show` adds them up.

    A + after the tokens means that some calls came without a count, a - that all did.
    """
    store = open_store(root)
    now_us = SYSTEM_CLOCK.wall_us()
    since_us = None if since_us is None else now_us - since_us
    found: Iterator[Commis | Concierge]
    if runs:
        found = (run for run in store.concierges(since_us) if run.start_us >= (since_us or 0))
    else:
        found = (Commis(store, item, now_us) for item in store.recent(since_us=since_us))
    listed = list(islice((run for run in found if not statuses or run.status in statuses), limit))
    if as_json:
        write_json([run.summary() for run in listed])
    elif not listed:
        click.echo(_nothing_found(store, runs=runs))
    elif on_terminal():
        _print_table(listed, now_us)
    else:
        rows = [_cells(run, now_us) for run in listed]
        for cells in (list(rows[0]), *(list(row.values()) for row in rows)):
            click.echo("\t".join(cells))


def _nothing_found(store: CommisStore, *, runs: bool) -> str:
    what = "concierge runs" if runs else "commis"
    of_concierges = 0
    with suppress(OSError):  # nobody asked for them
        of_concierges = len(store.concierge_ids())
    if of_concierges if runs else store.newest_job():
        return f"No {what} in {store.root} fits. Without --status and --since, all are listed."
    if of_concierges:
        return (
            f"No commis in {store.root} yet; {counted(of_concierges, 'concierge run')}: "
            f"zerg-visibility list --runs{at_root(store.root)}"
        )
    demo = f"zerg-visibility demo{at_root(store.root)}"
    return f"No {what} in {store.root} yet. Make some with: {demo}"


def _cells(
    run: Commis | Concierge, now_us: int, written: Callable[[int], str] = str
) -> dict[str, str]:
    """Give the cells of a row by their headings, with tokens written as is said."""
    totals = run.totals
    calls = (totals.llm_calls, totals.tool_calls, totals.llm_failures + totals.tool_failures)
    # Of one that cannot be read it is not known that it made no calls.
    is_known = run.problem is None or any(calls)
    counts = [str(count) if is_known else "-" for count in calls]
    tokens = "-"  # nobody counted, which is not the same as none
    if totals.total_tokens:
        tokens = written(totals.total_tokens) + ("+" if totals.calls_without_usage else "")
    measured = {
        "status": run.status,
        "time": "-" if run.at_work_ms is None else duration(run.at_work_ms),
        **dict(zip(("llm", "tool", "fail"), counts, strict=True)),
        "tokens": tokens,
    }
    name = clean(run.name, 100) or "-"
    if isinstance(run, Concierge):
        return {
            "concierge": run.concierge_id, **measured, "commis": str(len(run.children)),
            "name": name, "thread": clean(run.thread_id or "-", 100),
            "age": age(now_us - run.start_us),
        }  # fmt: skip
    commis = run.written
    return {
        "job": "-" if run.job_id is None else str(run.job_id), **measured, "name": name,
        "task": clean(commis.task or commis.error or "", 300) or "-",
        "age": age(now_us - (commis.started_us or now_us)),
    }  # fmt: skip


def _print_table(listed: Sequence[Commis | Concierge], now_us: int) -> None:
    from rich.text import Text

    from zerg_visibility.cli.table import table_of

    rows = []
    for run in listed:
        cells = _cells(run, now_us, short_count)
        styles = {
            "status": STATUS_STYLES.get(run.status, ""),
            "fail": "dim" if cells["fail"] in {"0", "-"} else "bold red",
            "age": "dim",
        }
        rows.append(
            {heading: Text(cell, style=styles.get(heading, "")) for heading, cell in cells.items()}
        )
    console = make_console()
    console.print(table_of(rows, console.width))
