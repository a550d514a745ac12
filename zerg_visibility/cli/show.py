"""`zerg-visibility show JOB`: one commis, its calls over time, and where its time went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zerg_visibility.cli.options import json_option, open_store, root_option
from zerg_visibility.cli.output import (
    age,
    clean,
    folded,
    length,
    make_console,
    on_terminal,
    style_of,
    write_json,
)
from zerg_visibility.cli.view import CommisView, view_commis
from zerg_visibility.clock import format_us
from zerg_visibility.read.commis import CommisNow
from zerg_visibility.status import UNENDED
from zerg_visibility.store.layout import TOOL_CALLS
from zerg_visibility.words import counted, duration, money

if TYPE_CHECKING:
    from rich.text import Text

_NAME_COLUMNS = 11


@click.command()
@click.argument("job")
@json_option
@root_option
def show(job: str, as_json: bool, root: Path) -> None:
    """Show one commis: its calls over time and where its time went.

    JOB is a job id such as 7, or a commis id.
    """
    view = view_commis(open_store(root), job)
    if as_json:
        write_json(view.to_dict())
        return
    console = make_console()
    for line in render(view, console.width, plain=not on_terminal() or console.options.ascii_only):
        # Lines that must fit do; paths and tasks run on, so that they can be copied whole.
        console.print(line, soft_wrap=True)


def render(view: CommisView, width: int, *, plain: bool) -> Iterator[Text]:
    """Write a commis line by line.

    Args:
        view: What to write.
        width: Columns of the terminal.
        plain: Whether to draw with ASCII alone.
    """
    from rich.text import Text

    from zerg_visibility.cli.waterfall import ASCII, UNICODE, rows_of, waterfall

    commis = view.commis
    room = None if plain else width - _NAME_COLUMNS
    yield from _header(commis, room)
    yield Text()
    if rows := rows_of(commis):
        yield from waterfall(
            rows,
            commis.start_us,
            commis.until_us,
            at_work_ms=None if commis.metadata.status in UNENDED else commis.at_work_ms,
            waits=commis.metadata.segments - 1,
            width=width,
            glyphs=ASCII if plain else UNICODE,
        )
    else:
        yield Text("No calls are recorded.", style="dim")
    yield Text()
    yield from _totals(view, room)
    yield Text()
    yield from _files(view, None if plain else width - 2)


def _field(name: str, value: str, style: str = "") -> Text:
    from rich.text import Text

    return Text.assemble((name.ljust(_NAME_COLUMNS), "dim"), (value, style))


def _long_field(name: str, value: str, room: int | None, style: str = "") -> Iterator[Text]:
    for number, line in enumerate(folded(value, room)):
        yield _field(name if number == 0 else "", line, style)


def _header(now: CommisNow, room: int | None) -> Iterator[Text]:
    from rich.text import Text

    commis = now.metadata
    job = "Commis" if commis.job_id is None else f"Job {commis.job_id}"
    status = style_of(commis.status)
    yield Text.assemble(
        (job, "bold"),
        "  ",
        (commis.status, f"bold {status}"),
        "  ",
        (clean(commis.name, 100), "bold"),
    )
    yield _field("commis", commis.commis_id)
    yield from _long_field("task", clean(commis.task) or "-", room)
    yield _field("time", _time(now))
    if commis.started_at is not None:
        ago = age(now.now_us - now.start_us)
        yield _field("started", f"{format_us(now.start_us)[:19]}Z ({ago} ago)")
    if commis.parent_commis_id is not None:
        yield _field("started by", clean(commis.parent_commis_id, 200))
    if commis.status == "lost" and commis.pid is not None:
        gone = f"process {commis.pid} on {clean(commis.host, 60)} ended without saying so"
        yield _field("lost", gone, status)
    elif commis.status == "running" and commis.pid is not None:
        sign = age(now.now_us - (now.sign_of_life_us or now.start_us))
        host = clean(commis.host, 60)
        yield _field("process", f"{commis.pid} on {host}, last sign of life {sign} ago")
    elif commis.status == "interrupted":
        waited = length(now.now_us - now.until_us)
        for_it = f"{waited} so far for a human; resume its thread to let it go on"
        yield from _long_field("waits", for_it, room, status)
        if commis.asked:
            yield from _long_field("asked", clean(commis.asked), room, status)
    if commis.error:
        yield from _long_field("error", clean(commis.error), room, "red")


def _time(now: CommisNow) -> str:
    commis = now.metadata
    if now.at_work_ms is None:
        return "not known"
    parts = [duration(now.at_work_ms)]
    if commis.status in UNENDED:
        seen = "so far" if commis.status == "running" else "until its last sign of life"
        parts[0] += f" {seen}"
    elif commis.wall_ms is not None and commis.wall_ms - now.at_work_ms > 1000:
        parts.append(f"{duration(commis.wall_ms)} from start to end")
    if commis.segments > 1:
        parts.append(counted(commis.segments, "segment"))
    if commis.attempts > 1:
        parts.append(counted(commis.attempts, "attempt"))
    return ", ".join(parts)


def _totals(view: CommisView, room: int | None) -> Iterator[Text]:
    now = view.commis
    times, totals = now.times, now.times.totals
    whole_us = times.duration_us
    for name, union_us, sum_ms, calls, failures in (
        ("LLM", times.llm_us, totals.llm_ms, totals.llm_calls, totals.llm_failures),
        ("tools", times.tool_us, totals.tool_ms, totals.tool_calls, totals.tool_failures),
    ):
        line = _share(name, union_us, whole_us)
        if calls:
            line.append(f"  {counted(calls, 'call')}")
        if failures:
            line.append(f", {failures} failed", style="red")
        if sum_ms - union_us // 1000 > max(1, union_us // 100_000):
            line.append(f", overlapping ({duration(sum_ms)} added up)", style="dim")
        yield line
    if times.open_ms:
        unended = counted(len(now.calls.in_flight + now.calls.waiting), "call")
        line = _share("open", times.open_us, whole_us)
        yield line.append(f"  {unended} without an end", style="yellow")
    if times.duration_ms > times.busy_ms:
        line = _share("other", times.other_us, whole_us)
        yield line.append("  in which no call ran", style="dim")
    if totals.total_tokens:
        cached = f" ({totals.cached_tokens:,} cached)" if totals.cached_tokens else ""
        hidden = f" ({totals.reasoning_tokens:,} reasoning)" if totals.reasoning_tokens else ""
        yield _field(
            "tokens",
            f"{totals.total_tokens:,} = {totals.prompt_tokens:,} in{cached} + "
            f"{totals.completion_tokens:,} out{hidden}",
        )
    if totals.calls_without_usage:
        calls_text = counted(totals.calls_without_usage, "LLM call")
        yield _field("", f"{calls_text} came without a token count", "yellow")
    if times.cut_off:
        cut_off = counted(times.cut_off, "LLM call")
        yield _field("cut off", f"{cut_off} at the token limit", "yellow")
    if totals.cost_usd is not None:
        yield _field("cost", money(totals.cost_usd))
    if view.below.commis:
        jobs = f"{view.below.names()}; with them {view.below.sums_with(totals)}"
        yield from _long_field("child jobs", clean(jobs), room)
    if now.metadata.dropped_records:
        lost = counted(now.metadata.dropped_records, "record")
        yield _field("dropped", f"{lost} could not be written; figures above are too low", "red")
    if now.read.remark is not None:
        yield _field("remark", now.read.remark, "yellow")


def _share(name: str, part_us: int, whole_us: int) -> Text:
    # Of microseconds, or the shares of a commis of 20 ms would be far from 100 %.
    share = f"{100 * part_us / whole_us:3.0f}%" if whole_us else "   -"
    return _field(name, f"{length(part_us):>8} {share}")


def _files(view: CommisView, room: int | None) -> Iterator[Text]:
    from rich.text import Text

    outputs = [name for name in view.files if name.startswith(f"{TOOL_CALLS}/")]
    names = [clean(name, 200) for name in view.files if name not in outputs]
    if outputs:
        names.append(f"{TOOL_CALLS}/ ({counted(len(outputs), 'tool output')})")
    # Not behind a label, so that it fits on a line and can be copied.
    yield Text(f"{view.folder}/")
    nothing = "is empty" if view.commis.read.problem is None else "cannot be read"
    for line in folded("  ".join(names) or nothing, room):
        yield Text(f"  {line}", style="dim")
