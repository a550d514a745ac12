"""grep_commis: find text in what recent commis were asked, did and answered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.errors import FileNotInCommisError
from zerg_visibility.store.layout import METADATA, METRICS, STARTED
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.tools.access import ConciergeView, window_text

SEARCH_S = 5.0
"""The longest that one search may take."""

PATTERN_MAX = 1_000
"""The longest pattern, in characters."""

FILE_BYTES_MAX = 50_000_000
"""How much of one file is searched."""

MATCHES_MAX = 50
"""Matching lines shown; further ones are counted."""

FILES_AT_ONCE = 100
"""Files open at a time."""

NAMES_MAX, LINE_MAX, NOTES_BYTES = 5, 240, 1_200
"""Files named as not searched to their end, characters of a line, and room for what is said."""

_WORKER = Path(__file__).with_name("search_worker.py")


class _Source(NamedTuple):
    """A file of a commis, or without a name its task."""

    commis: CommisMetadata
    name: str | None

    @property
    def label(self) -> str:
        return f"job {self.commis.job_id} {words.one_line(self.name or 'task', 80)}"


@dataclass(slots=True)
class _Findings:
    """What a search has found so far."""

    room: int
    lines: list[str] = field(default_factory=list)
    matches: int = 0
    partly: list[str] = field(default_factory=list)
    commis: set[str] = field(default_factory=set)
    stopped_at: _Source | None = None


def grep(view: ConciergeView, pattern: str, regex: bool = False, since_hours: float = 24) -> str:
    """Search the owner's recent commis, newest first, for at most SEARCH_S seconds."""
    deadline = time.monotonic() + SEARCH_S
    if not 0 < len(pattern) <= PATTERN_MAX or "\n" in pattern:
        raise ToolException(f"pattern must be one line of 1 to {PATTERN_MAX:,} characters.")
    found = _Findings(room=view.max_bytes - NOTES_BYTES)
    sources = _sources(view, view.recent(since_hours))
    batch = list(islice(sources, FILES_AT_ONCE))
    while not found.stopped_at:  # once even without any source, so that a bad pattern is reported
        left_s = max(0.0, deadline - time.monotonic())
        if batch and not left_s:
            found.stopped_at = batch[0]
            break
        request = {"pattern": pattern, "regex": regex, "seconds": left_s,
                   "keep": MATCHES_MAX - len(found.lines), "max_bytes": FILE_BYTES_MAX}  # fmt: skip
        _search_batch(view, batch, request, found)
        batch = list(islice(sources, FILES_AT_ONCE))
        if not batch:
            break
    return _answer(found, pattern, window_text(since_hours))


def _sources(view: ConciergeView, recent: Iterable[CommisMetadata]) -> Iterator[_Source]:
    for commis in recent:
        yield _Source(commis, None)
        # Of a folder that may not be entered no name is known; opening one then says so.
        for name in view.store.files(commis.commis_id) or [METRICS]:
            if name not in {METADATA, STARTED}:
                yield _Source(commis, name)


def _search_batch(
    view: ConciergeView, batch: Sequence[_Source], request: dict[str, Any], found: _Findings
) -> None:
    opened: list[_Source] = []
    asked: list[int | str] = []
    with ExitStack() as files:
        for source in batch:
            found.commis.add(source.commis.commis_id)
            if source.name is None:
                asked.append(source.commis.task)
            else:
                try:
                    file = view.store.open_file(source.commis.commis_id, source.name)
                except FileNotInCommisError:
                    continue  # gone since it was listed
                except PermissionError:
                    found.partly.append(source.label)
                    continue  # one that may not be read must not hide what is in the others
                asked.append(files.enter_context(file).fileno())
            opened.append(source)
        outcomes = _run_worker({**request, "sources": asked})
    if outcomes and "error" in outcomes[0]:
        raise ToolException(
            f"Not a regular expression: {words.one_line(outcomes[0]['error'], 120)}. "
            "Mend it, or use regex=False to find the text as it stands."
        )
    for source, outcome in zip(opened, outcomes, strict=False):
        found.matches += outcome["count"]
        for number, text in outcome["hits"]:
            line = f"{source.label}:{number}: {words.one_line(text, LINE_MAX)}"
            found.room -= len(line.encode()) + 1
            if found.room >= 0:
                found.lines.append(line)
        if not outcome["complete"]:
            found.partly.append(source.label)
    if unsearched := opened[len(outcomes) :]:
        found.stopped_at = unsearched[0]
        found.partly.extend(source.label for source in unsearched)


def _run_worker(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Give an outcome for each source, up to where the time was up."""
    try:
        # The worker stops by itself between two lines; only within one line it must be killed.
        done = subprocess.run(  # noqa: S603 - our own file, nothing of the request in the command
            [sys.executable, "-I", "-S", str(_WORKER)],
            input=json.dumps(request).encode(),
            pass_fds=[source for source in request["sources"] if isinstance(source, int)],
            capture_output=True,
            timeout=request["seconds"] + 0.1,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        output: bytes = expired.stdout or b""
    else:
        output = done.stdout
        if done.returncode > 0:
            raise RuntimeError(f"the search worker failed: {done.stderr.decode(errors='replace')}")
    # A worker killed in mid-line leaves a last piece that no newline ends.
    return [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith(b"\n")]


def _answer(found: _Findings, pattern: str, window: str) -> str:
    what = f"'{words.one_line(pattern, 80)}'"
    stopped = f"The search was stopped after {SEARCH_S:.0f} seconds"
    if found.stopped_at and not found.matches:
        raise ToolException(
            f"{stopped} without a match for {what}; "
            "use a plainer pattern, a fixed string or a smaller since_hours."
        )
    if not found.commis:
        return f"No commis in {window}. A larger since_hours looks further back."
    lines = [f"{_matches(found.matches)} for {what} in {window}, newest job first:", *found.lines]
    if not found.matches:
        lines = [f"No match for {what} in {len(found.commis):,} commis of {window}."]
    if left_out := found.matches - len(found.lines):
        lines.append(f"[{_matches(left_out)} left out; use a narrower pattern.]")
    if found.partly:
        lines.append(f"[Not searched to the end: {words.first_of(found.partly, NAMES_MAX)}.]")
    if found.stopped_at:
        job = found.stopped_at.commis.job_id
        lines.append(f"[{stopped} at job {job}; older jobs were not searched.]")
    return "\n".join(lines)


def _matches(count: int) -> str:
    return "1 match" if count == 1 else f"{count:,} matches"
