"""`zerg-visibility show ID`: a commis or a concierge's run, its calls over time, and its totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from zerg_visibility.cli.options import json_option, open_store, root_option
from zerg_visibility.cli.output import (
    STATUS_STYLES,
    age,
    clean,
    folded,
    make_console,
    on_terminal,
    write_json,
)
from zerg_visibility.clock import format_us
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import CommisNotFoundError, RunNotFoundError
from zerg_visibility.read.children import names, sums
from zerg_visibility.read.commis import Commis
from zerg_visibility.read.concierge import Concierge
from zerg_visibility.read.result import up_to
from zerg_visibility.status import UNENDED
from zerg_visibility.store.layout import TOOL_CALLS
from zerg_visibility.words import counted, duration, length, money

if TYPE_CHECKING:
    from rich.text import Text

_NAME_COLUMNS = 11


@click.command()
@click.argument("run", metavar="ID")
@json_option
@root_option
def show(run: str, as_json: bool, root: Path) -> None:
    """Show one commis, or one run of a concierge: its calls over time and where its time went.

    ID is a job id such as 7, a commis id, or a concierge id as `list --runs` gives it.
    """
    found = _find(open_store(root), run)
    if as_json:
        write_json(found.to_dict())
        return
    console = make_console()
    for line in render(found, console.width, plain=not on_terminal() or console.options.ascii_only):
        # Lines that must fit do; paths and tasks run on, so that they can be copied whole.
        console.print(line, soft_wrap=True)


def _find(store: CommisStore, run: str) -> Commis | Concierge:
    with suppress(CommisNotFoundError):
        return store.commis(run)
    with suppress(RunNotFoundError):
        return store.concierge(run)
    jobs = ", ".join(str(item.job_id) for item in islice(store.recent(), 5))
    runs = ", ".join(item.concierge_id for item in islice(store.concierges(), 2))
    hints = [f"Latest jobs: {jobs}." if jobs else "", f"Latest runs: {runs}." if runs else ""]
    hint = " ".join(filter(None, hints)) or "It holds none yet."
    said = f"no commis and no concierge run {run[:80]!r} in {store.root}. {hint}"
    raise CommisNotFoundError(said)


def render(run: Commis | Concierge, width: int, *, plain: bool) -> Iterator[Text]:
    """Write a commis, or a run of a concierge, line by line; if plain, in ASCII and unfolded."""
    from rich.text import Text

    from zerg_visibility.cli.waterfall import ASCII, UNICODE, waterfall

    room = None if plain else width - _NAME_COLUMNS
    yield from _header(run, room)
    yield Text()
    yield from waterfall(run, width=width, glyphs=ASCII if plain else UNICODE)
    yield Text()
    yield from _totals(run, room)
    yield Text()
    yield from _files(run, None if plain else width - 2)


def _field(name: str, value: str, style: str = "", room: int | None = None) -> Iterator[Text]:
    from rich.text import Text

    for line in folded(value, room):
        yield Text.assemble((name.ljust(_NAME_COLUMNS), "dim"), (line, style))
        name = ""


_Fact: TypeAlias = tuple[str, str | None, str]
"""A name, a value if there is one, and a style."""

_FOLDED = {"task", "waits", "asked", "error"}


def _header(run: Commis | Concierge, room: int | None) -> Iterator[Text]:
    from rich.text import Text

    job = f"Job {run.job_id}" if isinstance(run, Commis) and run.job_id is not None else None
    yield Text.assemble(
        (job or type(run).__name__, "bold"), "  ",
        (run.status, f"bold {STATUS_STYLES.get(run.status, '')}"), "  ",
        (clean(run.name, 100), "bold"),
    )  # fmt: skip
    for name, value, style in _of_commis(run) if isinstance(run, Commis) else _of_concierge(run):
        if value:
            yield from _field(name, clean(value), style, room if name in _FOLDED else None)


def _of_commis(now: Commis) -> Iterator[_Fact]:
    commis = now.metadata
    yield "commis", commis.commis_id, ""
    yield "task", clean(commis.task) or "-", ""
    yield "time", _time(now), ""
    yield "started", _started(now) if commis.started_at else None, ""
    yield "started by", commis.parent_commis_id, ""
    yield "labels", _labels(commis.labels), ""
    yield from _process(now, commis.pid, commis.host)
    if commis.status == "interrupted":
        waited = length(now.now_us - now.until_us)
        style = STATUS_STYLES.get(commis.status, "")
        yield "waits", f"{waited} so far for a human; resume its thread to let it go on", style
        yield "asked", commis.asked, style
    yield "error", commis.error, "red"


def _of_concierge(now: Concierge) -> Iterator[_Fact]:
    yield "concierge", now.concierge_id, ""
    so_far = up_to(now.status) if now.status in UNENDED else ""
    took = now.at_work_ms
    yield "time", "not known" if took is None else f"{duration(took)}{so_far}", ""
    yield "started", _started(now), ""
    yield "thread", now.thread_id, ""
    if now.run is not None:
        yield "run", now.run.run_id, ""
        yield "continues", now.run.continues, ""
        yield "labels", _labels(now.run.labels), ""
    yield "trace", now.trace_id, ""
    if now.begun is not None:
        yield from _process(now, now.begun.pid, now.begun.host)
    yield "error", now.error, "red"


def _started(run: Commis | Concierge) -> str:
    return f"{format_us(run.start_us)[:19]}Z ({age(run.now_us - run.start_us)} ago)"


def _process(run: Commis | Concierge, pid: int | None, host: str | None) -> Iterator[_Fact]:
    where = f"{pid} on {clean(host, 60)}"
    if pid is not None and run.status == "lost":
        yield "lost", f"process {where} ended without saying so", STATUS_STYLES.get("lost", "")
    elif pid is not None and run.status == "running":
        sign = age(run.now_us - (run.sign_of_life_us or run.start_us))
        yield "process", f"{where}, last sign of life {sign} ago", ""


def _labels(labels: Mapping[str, str] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (labels or {}).items())


def _time(now: Commis) -> str:
    commis = now.metadata
    if now.at_work_ms is None:
        return "not known"
    parts = [duration(now.at_work_ms)]
    if commis.status in UNENDED:
        parts[0] += up_to(commis.status)
    elif commis.wall_ms is not None and commis.wall_ms - now.at_work_ms > 1000:
        parts.append(f"{duration(commis.wall_ms)} from start to end")
    if commis.segments > 1:
        parts.append(counted(commis.segments, "segment"))
    if commis.attempts > 1:
        parts.append(counted(commis.attempts, "attempt"))
    return ", ".join(parts)


def _totals(run: Commis | Concierge, room: int | None) -> Iterator[Text]:
    times, totals = run.timeline, run.timeline.totals
    whole_us = times.duration_us
    for name, union_us, sum_ms, calls, failures in (
        ("LLM", times.llm_us, totals.llm_ms, totals.llm_calls, totals.llm_failures),
        ("tools", times.tool_us, totals.tool_ms, totals.tool_calls, totals.tool_failures),
    ):
        line = _share(name, union_us, whole_us, f"  {counted(calls, 'call')}" if calls else "")
        if failures:
            line.append(f", {failures} failed", style="red")
        if sum_ms - union_us // 1000 > max(1, union_us // 100_000):
            line.append(f", overlapping ({duration(sum_ms)} added up)", style="dim")
        yield line
    if times.open_ms:
        unended = counted(len(run.in_flight + run.waiting), "call")
        yield _share("open", times.open_us, whole_us, f"  {unended} without an end", "yellow")
    if times.duration_ms > times.busy_ms:
        other_us = whole_us - times.busy_us - times.open_us
        whose = "call of its own" if run.children else "call"
        yield _share("other", other_us, whole_us, f"  in which no {whose} ran", "dim")
    if totals.total_tokens:
        cached = f" ({totals.cached_tokens:,} cached)" if totals.cached_tokens else ""
        hidden = f" ({totals.reasoning_tokens:,} reasoning)" if totals.reasoning_tokens else ""
        tokens = f"{totals.total_tokens:,} = {totals.prompt_tokens:,} in{cached}"
        yield from _field("tokens", f"{tokens} + {totals.completion_tokens:,} out{hidden}")
    if totals.calls_without_usage:
        calls_text = counted(totals.calls_without_usage, "LLM call")
        yield from _field("", f"{calls_text} came without a token count", "yellow")
    if times.cut_off:
        cut_off = counted(times.cut_off, "LLM call")
        yield from _field("cut off", f"{cut_off} at the token limit", "yellow")
    if totals.cost_usd is not None:
        yield from _field("cost", money(totals.cost_usd))
    commis = run.written if isinstance(run, Commis) else None
    if run.children:
        below = run.descendants
        named = names(run.children, below.jobs if below else None)
        used = f"; with them {sums(below, totals)}" if below else ""
        what = "child jobs" if commis else "commis"
        yield from _field(what, clean(named + used), room=room)
    if commis and commis.dropped_records:
        lost = counted(commis.dropped_records, "record")
        said = f"{lost} could not be written; figures above are too low"
        yield from _field("dropped", said, "red")
    if run.records.remark is not None:
        yield from _field("remark", run.records.remark, "yellow")


def _share(name: str, part_us: int, whole_us: int, remark: str, style: str = "") -> Text:
    # Of microseconds, or the shares of a commis of 20 ms would be far from 100 %.
    share = f"{100 * part_us / whole_us:3.0f}%" if whole_us else "   -"
    (line,) = _field(name, f"{length(part_us):>8} {share}")
    return line.append(remark, style)


def _files(run: Commis | Concierge, room: int | None) -> Iterator[Text]:
    from rich.text import Text

    outputs = [name for name in run.files if name.startswith(f"{TOOL_CALLS}/")]
    names = [clean(name, 200) for name in run.files if name not in outputs]
    if outputs:
        names.append(f"{TOOL_CALLS}/ ({counted(len(outputs), 'tool output')})")
    # Not behind a label, so that it fits on a line and can be copied.
    yield Text(f"{run.folder}/")
    nothing = "is empty" if run.records.problem is None else "cannot be read"
    for line in folded("  ".join(names) or nothing, room):
        yield Text(f"  {line}", style="dim")
