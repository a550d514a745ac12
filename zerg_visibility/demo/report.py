"""What the demo shows: its progress, the three tiers, and where to look further."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.rule import Rule
from rich.text import Text

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo.commands import commands_to_look_further, near
from zerg_visibility.demo.model import OFFLINE_MODEL
from zerg_visibility.store.layout import METRICS
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import counted, duration, one_line

if TYPE_CHECKING:
    from rich.console import Console

LINES_SHOWN = 3
"""So many lines of metrics.jsonl are shown."""

ROWS_PER_LINE = 4
"""So many rows of the terminal for one of them: the specification's fields, not all the ids."""

LOG_LINES_SHOWN = 6
"""So many lines of the log are shown."""


class DemoReport:
    """Shows a demo on a console while it goes on, and as a whole at its end.

    Everything that a file name or a model can have a say in is put on one line, without control
    characters, and is printed as it stands.

    Args:
        console: Where to show it.
        store: The store that the demo writes.
        log_file: Tier 3's file.
    """

    def __init__(self, console: Console, store: CommisStore, log_file: Path) -> None:
        self.log_file = log_file
        self._console = console
        self._store = store

    def begin(self, folder: Path, model: str | None) -> None:
        """Say what is going to happen."""
        self._say(f"Inspecting {one_line(str(folder), 500)}", style="bold")
        if model is None:
            self._say(
                f"Model: {OFFLINE_MODEL}, a script; it takes no time, and nothing leaves here."
            )
        else:
            self._say(f"Model: {one_line(model, 100)}; file names and figures are sent to it.")

    def planned(self, count: int) -> None:
        """Say what the concierge has planned."""
        if count:
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
        """Show the three tiers, and the commands that show more.

        Args:
            answer: What the concierge said at last.
            jobs: The commis that it sent.
        """
        telling = max(jobs, key=lambda job: (job.totals.tool_failures, job.duration_ms or 0))
        metrics = self._store.folder(telling.commis_id) / METRICS
        self._heading("Tier 1: what the concierge answers")
        self._answer(answer, jobs)
        self._heading(f"Tier 2: {METRICS} of job {telling.job_id}")
        self._say(one_line(near(metrics), 1000), style="bold")
        for line in _first_lines(metrics, LINES_SHOWN):
            self._folded(line, ROWS_PER_LINE)
        self._heading(f"Tier 3: log lines of job {telling.job_id}")
        self._say(one_line(near(self.log_file), 1000), style="bold")
        for line in self._log_lines(telling):
            self._folded(line, None)
        self._heading("Look further")
        for command in commands_to_look_further(self._store.root, telling, metrics, self.log_file):
            self._say(command, style="cyan")

    def _answer(self, answer: str, jobs: Sequence[CommisMetadata]) -> None:
        for line in answer.strip().splitlines() or ["(The model gave no answer.)"]:
            self._console.print(Text(one_line(line, 2000)))
        if "Execution time:" not in answer:
            # A real model may put it in other words; this is what the tool told it.
            for job in jobs:
                self._say(f"Execution time: {duration(job.duration_ms or 0)} (job {job.job_id})")

    def _log_lines(self, job: CommisMetadata) -> list[str]:
        try:
            with self.log_file.open(encoding="utf-8", errors="replace") as file:
                lines = [line for line in file if f"commis_id={job.commis_id} " in line]
        except OSError:
            return ["(The log cannot be read.)"]
        return lines[-LOG_LINES_SHOWN:]

    def _say(self, text: str, style: str = "") -> None:
        # Not wrapped: what is too long runs on, so that paths and commands can be copied whole.
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _heading(self, title: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"))

    def _folded(self, line: str, rows: int | None) -> None:
        """Print a long line on rows of equal width, indented from the second on."""
        parts = _broken(one_line(line, 10_000), max(20, self._console.width - 2))
        if rows is not None and len(parts) > rows:
            parts = [*parts[:rows], "..."]
        for number, part in enumerate(parts):
            self._say(part if number == 0 else f"  {part}")


def _broken(text: str, width: int) -> list[str]:
    """Break a line of fields after a space or a comma, so that fields stay whole."""
    parts = []
    while len(text) > width:
        at = 1 + max(text.rfind(" ", 0, width), text.rfind(",", 0, width))
        at = at if at > width // 2 else width
        parts.append(text[:at].rstrip())
        text = text[at:]
    return [*parts, text]


def _first_lines(path: Path, count: int) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line for line, _ in zip(file, range(count), strict=False)]
    except OSError:
        return ["(The file cannot be read.)"]
