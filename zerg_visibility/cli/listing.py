"""`zerg-visibility list`: the latest commis, newest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import click

from zerg_visibility.cli.options import at_root, json_option, open_store, root_option
from zerg_visibility.cli.output import (
    age,
    clean,
    make_console,
    on_terminal,
    short_count,
    style_of,
    write_json,
)
from zerg_visibility.cli.outside import count_runs_outside, metrics_outside
from zerg_visibility.clock import SYSTEM_CLOCK
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.read.commis import at_work_ms, up_to_date
from zerg_visibility.status import STATUSES
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.store.unreadable import UNREADABLE
from zerg_visibility.words import counted, duration

MAX_LIMIT = 1_000_000
"""The most commis in one list."""

HEADINGS = ("job", "status", "time", "llm", "tool", "fail", "tokens", "name", "task", "age")

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
@json_option
@root_option
def list_commis(
    limit: int, statuses: tuple[str, ...], since_us: int | None, as_json: bool, root: Path
) -> None:
    """List commis, newest first: how they stand, their time, calls and tokens.

    A + after the tokens means that some calls came without a count, a - that all did.
    """
    store = open_store(root)
    now_us = SYSTEM_CLOCK.wall_us()
    recent = store.recent(since_us=None if since_us is None else now_us - since_us)
    found = (item for item in recent if not statuses or item.status in statuses)
    commis = [up_to_date(store, item) for item in islice(found, limit)]
    if as_json:
        write_json([item.to_dict() for item in commis])
    elif not commis:
        click.echo(_nothing_found(store))
    elif on_terminal():
        _print_table(store, commis, now_us)
    else:
        click.echo("\t".join(HEADINGS))
        for item in commis:
            click.echo("\t".join(_cells(store, item, now_us)))


def _nothing_found(store: CommisStore) -> str:
    if store.newest_job() == 0:
        try:
            outside = count_runs_outside(store)
        except OSError:
            outside = 0  # nobody asked for them
        if outside:
            return (
                f"No commis in {store.root} yet, but {counted(outside, 'run')} outside of any: "
                f"their calls are in {metrics_outside(store)}. "
                f"Wrap a graph with create_commis_node to see it here."
            )
        return (
            f"No commis in {store.root} yet. "
            f"Make some with: zerg-visibility demo{at_root(store.root)}"
        )
    return f"No commis in {store.root} fits. Without --status and --since, all are listed."


def _cells(store: CommisStore, commis: CommisMetadata, now_us: int) -> tuple[str, ...]:
    totals = commis.totals
    worked_ms = at_work_ms(store, commis, now_us)
    calls = (totals.llm_calls, totals.tool_calls, totals.llm_failures + totals.tool_failures)
    # Of one that cannot be read it is not known that it made no calls.
    is_known = commis.name != UNREADABLE or any(calls)
    return (
        "-" if commis.job_id is None else str(commis.job_id),
        commis.status,
        "-" if worked_ms is None else duration(worked_ms),
        *(str(count) if is_known else "-" for count in calls),
        _tokens(totals, str(totals.total_tokens)),
        clean(commis.name, 100) or "-",
        clean(commis.task or commis.error or "", 300) or "-",
        age(now_us - (commis.started_us or now_us)),
    )


def _tokens(totals: CommisTotals, number: str) -> str:
    if not totals.total_tokens:
        return "-"  # nobody counted, which is not the same as none
    return f"{number}+" if totals.calls_without_usage else number


def _print_table(store: CommisStore, commis: Sequence[CommisMetadata], now_us: int) -> None:
    from rich.text import Text

    from zerg_visibility.cli.table import table_of

    rows = []
    for item in commis:
        cells = dict(zip(HEADINGS, _cells(store, item, now_us), strict=True))
        cells["tokens"] = _tokens(item.totals, short_count(item.totals.total_tokens))
        styles = {
            "status": style_of(item.status),
            "fail": "dim" if cells["fail"] in {"0", "-"} else "bold red",
            "age": "dim",
        }
        rows.append(
            {heading: Text(cell, style=styles.get(heading, "")) for heading, cell in cells.items()}
        )
    console = make_console()
    console.print(table_of(rows, console.width))
