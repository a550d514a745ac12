"""What the demo shows: its progress, the three tiers, and where to look further."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import ToolCall
from rich.rule import Rule
from rich.text import Text

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo.model import OFFLINE_MODEL
from zerg_visibility.settings import at_root
from zerg_visibility.store.layout import COMMIS, METRICS
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import counted, duration, one_line

if TYPE_CHECKING:
    from rich.console import Console

# Lines of metrics.jsonl with so many rows each (the specification's fields, not all the ids), and
# lines of the log.
_LINES, _ROWS, _LOG_LINES = 3, 4, 6


class DemoReport:
    """Shows a demo on a console while it goes on, and as a whole at its end.

    What a file name or a model has a say in is put on one line, without control characters.
    """

    def __init__(self, console: Console, store: CommisStore, log_file: Path) -> None:
        self._log_file = log_file
        self._console = console
        self._store = store

    def begin(self, folder: Path, model: str | None) -> None:
        """Say what is going to happen."""
        self._say(f"Inspecting {one_line(str(folder), 500)}", style="bold")
        self._say(
            f"Model: {OFFLINE_MODEL}, a script; it takes no time, and nothing leaves here."
            if model is None
            else f"Model: {one_line(model, 100)}; file names and figures are sent to it."
        )

    def planned(self, calls: Sequence[ToolCall]) -> None:
        """Say how many commis the concierge starts with these calls, if any."""
        if count := sum("task" in call["args"] for call in calls):
            self._say(f"The concierge sends {count} commis at once:")

    def ended(self, job: CommisMetadata) -> None:
        """Show one commis that has ended."""
        totals = job.totals
        failed = f" ({totals.tool_failures} failed)" if totals.tool_failures else ""
        time = duration(job.duration_ms or 0)
        self._say(
            f"  job {job.job_id:<4} {job.name:<12} {job.status} in {time:>5}"
            f"  {counted(totals.llm_calls, 'LLM call')}, "
            f"{counted(totals.tool_calls, 'tool call')}{failed}"
        )

    def end(self, answer: str, jobs: Sequence[CommisMetadata]) -> None:
        """Show the three tiers: what the concierge said at last, and files of the commis."""
        job = max(jobs, key=lambda job: (job.totals.tool_failures, job.duration_ms or 0))
        root, log = self._store.root, self._log_file
        metrics = self._store.folder(job.commis_id) / METRICS
        self._heading("Tier 1: what the concierge answers")
        for line in answer.strip().splitlines() or ["(The model gave no answer.)"]:
            self._console.print(Text(one_line(line, 2000)))
        if "Execution time:" not in answer:
            # A real model may put it in other words; this is what the tool told it.
            for one in jobs:
                self._say(f"Execution time: {duration(one.duration_ms or 0)} (job {one.job_id})")
        self._heading(f"Tier 2: {METRICS} of job {job.job_id}", metrics)
        for line in _lines(metrics)[:_LINES]:
            self._folded(line, _ROWS)
        self._heading(f"Tier 3: log lines of job {job.job_id}", log)
        for line in _lines(log, f"commis_id={job.commis_id} ")[-_LOG_LINES:]:
            self._folded(line)
        self._heading("Look further")
        program, at, tier_3 = _program(), at_root(root), _quoted(log)
        for command in (  # they work where the demo was started
            f"{program} list{at}",
            f"{program} show {job.job_id or job.commis_id}{at}",
            f"{program} tail --from-start{at}",
            f"{program} doctor --log {tier_3}{at}",
            f"jq -s 'sort_by(.duration_ms) | reverse | .[0:5]' {_quoted(metrics)}",
            f"jq -c 'select(.event==\"tool_call\" and .success==false)' "
            f"{_quoted(root / COMMIS)}/*/{METRICS}",
            f"grep tool_call_complete {tier_3} | grep success=False",
            f"grep {shlex.quote(f'commis_id={job.commis_id}')} {tier_3}",
        ):
            self._say(command, style="cyan")

    def _say(self, text: str, style: str = "") -> None:
        # Not wrapped: what is too long runs on, so that paths and commands can be copied whole.
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _heading(self, title: str, path: Path | None = None) -> None:
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
        if path is not None:
            self._say(one_line(_near(path), 1000), style="bold")

    def _folded(self, line: str, rows: int | None = None) -> None:
        """Print a line on so many indented rows, broken after spaces and commas."""
        width = max(20, self._console.width - 2)
        row = rf".{{1,{width}}}$|.{{{width // 2},{width - 1}}}[ ,]|.{{{width}}}"
        parts = [part.rstrip() for part in re.findall(row, one_line(line, 10_000))]
        if rows is not None and len(parts) > rows:
            parts[rows:] = ["..."]
        self._say("\n  ".join(parts))


def _lines(path: Path, holding: str = "") -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return list(islice((line for line in file if holding in line), 100))
    except OSError:
        return ["(The file cannot be read.)"]


def _near(path: Path) -> str:
    """Write a path as it can be said from here: relative if it lies below, else absolute."""
    relative = os.path.relpath(path)
    return os.fspath(path) if Path(relative).parts[:1] == (os.pardir,) else relative


def _quoted(path: Path) -> str:
    return shlex.quote(_near(path))


def _program() -> str:
    found = shutil.which("zerg-visibility")
    if found is None:  # run from a source tree, or in an environment that is not active
        return f"{_quoted(Path(sys.executable))} -m zerg_visibility"
    # `uv run` puts it on the path of what it runs, not on that of the shell it is typed into, and
    # would first install what only the development of a project needs.
    inside_uv = os.environ.get("UV_RUN_RECURSION_DEPTH")
    return _quoted(Path(found)) if inside_uv else "zerg-visibility"
