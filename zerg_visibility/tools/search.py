"""grep_commis: find text in what recent commis were asked, did and answered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.errors import FileNotInCommisError
from zerg_visibility.store.layout import METADATA, METRICS, STARTED
from zerg_visibility.tools.access import ConciergeView
from zerg_visibility.tools.window import window_start_us, window_text

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

NAMES_MAX = 5
"""Files named as not searched to their end."""

LINE_MAX = 240
NOTES_BYTES = 1_200

_WORKER = Path(__file__).with_name("search_worker.py")


@dataclass(frozen=True, slots=True)
class _Source:
    """A file of a commis, or its task, which is a text."""

    job_id: int | None
    commis_id: str
    name: str
    text: str | None = None

    @property
    def label(self) -> str:
        return f"job {self.job_id} {words.one_line(self.name, 80)}"


@dataclass(slots=True)
class _Findings:
    """What a search has found so far."""

    lines: list[str] = field(default_factory=list)
    room: int = 0
    matches: int = 0
    partly: list[str] = field(default_factory=list)
    commis: set[str] = field(default_factory=set)
    stopped_at: int | None = None
    stopped: bool = False


def grep(view: ConciergeView, pattern: str, regex: bool = False, since_hours: float = 24) -> str:
    """Search the owner's recent commis, newest first, for at most SEARCH_S seconds.

    Raises:
        ToolException: An argument cannot be used, or the time was up before anything was found.
    """
    deadline = time.monotonic() + SEARCH_S
    if not 0 < len(pattern) <= PATTERN_MAX or "\n" in pattern:
        raise ToolException(f"pattern must be one line of 1 to {PATTERN_MAX:,} characters.")
    since_us = window_start_us(since_hours)
    found = _Findings(room=view.max_bytes - NOTES_BYTES)
    sources = _sources(view, since_us)
    batch = list(islice(sources, FILES_AT_ONCE))
    while True:  # once even without any source, so that a bad pattern is always reported
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            found.stopped, found.stopped_at = True, batch[0].job_id if batch else None
            break
        _search_batch(view, batch, pattern, regex, left_s, found)
        batch = list(islice(sources, FILES_AT_ONCE))
        if not batch:
            break
    return _answer(found, pattern, window_text(since_hours))


def _sources(view: ConciergeView, since_us: int) -> Iterator[_Source]:
    for metadata in view.recent(since_us=since_us):
        job_id, commis_id = metadata.job_id, metadata.commis_id
        yield _Source(job_id, commis_id, "task", metadata.task)
        # Of a folder that may not be entered no name is known; opening one then says so.
        for name in view.store.files(commis_id) or [METRICS]:
            if name not in {METADATA, STARTED}:
                yield _Source(job_id, commis_id, name)


def _search_batch(
    view: ConciergeView,
    batch: Sequence[_Source],
    pattern: str,
    regex: bool,
    left_s: float,
    found: _Findings,
) -> None:
    opened: list[_Source] = []
    asked: list[dict[str, Any]] = []
    descriptors: list[int] = []
    with ExitStack() as files:
        for source in batch:
            found.commis.add(source.commis_id)
            if source.text is not None:
                asked.append({"text": source.text})
            else:
                try:
                    file = view.store.open_file(source.commis_id, source.name)
                except FileNotInCommisError:
                    continue  # gone since it was listed
                except PermissionError:
                    found.partly.append(source.label)
                    continue  # one that may not be read must not hide what is in the others
                descriptors.append(files.enter_context(file).fileno())
                asked.append({"fd": descriptors[-1]})
            opened.append(source)
        request = {
            "pattern": pattern,
            "regex": regex,
            "seconds": left_s,
            "keep": MATCHES_MAX - len(found.lines),
            "max_bytes": FILE_BYTES_MAX,
            "sources": asked,
        }
        outcomes = _run_worker(request, descriptors, left_s)
    if outcomes and "error" in outcomes[0]:
        raise ToolException(
            f"Not a regular expression: {words.one_line(outcomes[0]['error'], 120)}. "
            "Mend it, or use regex=False to find the text as it stands."
        )
    _collect(opened, outcomes, found)


def _run_worker(
    request: dict[str, Any], descriptors: Sequence[int], left_s: float
) -> list[dict[str, Any]]:
    # The worker stops by itself between two lines; only within one line it must be killed.
    command = [sys.executable, "-I", "-S", str(_WORKER)]
    try:
        done = subprocess.run(  # noqa: S603 - our own file, nothing of the request on its command line
            command,
            input=json.dumps(request).encode(),
            pass_fds=descriptors,
            capture_output=True,
            timeout=left_s + 0.1,
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


def _collect(
    sources: Sequence[_Source], outcomes: Sequence[dict[str, Any]], found: _Findings
) -> None:
    for outcome in outcomes:
        source = sources[outcome["source"]]
        found.matches += outcome["count"]
        for number, text in outcome["hits"]:
            line = f"{source.label}:{number}: {words.one_line(text, LINE_MAX)}"
            found.room -= len(line.encode()) + 1
            if found.room >= 0:
                found.lines.append(line)
        if not outcome["complete"]:
            found.partly.append(source.label)
    unsearched = sources[len(outcomes) :]
    if unsearched:
        found.stopped, found.stopped_at = True, unsearched[0].job_id
        found.partly.extend(source.label for source in unsearched)


def _answer(found: _Findings, pattern: str, window: str) -> str:
    what = f"'{words.one_line(pattern, 80)}'"
    stopped = f"The search was stopped after {SEARCH_S:.0f} seconds"
    if found.stopped and not found.matches:
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
        more = len(found.partly) - NAMES_MAX
        named = ", ".join(found.partly[:NAMES_MAX]) + (f" and {more:,} more" if more > 0 else "")
        lines.append(f"[Not searched to the end: {named}.]")
    if found.stopped:
        older = "" if found.stopped_at is None else f" at job {found.stopped_at}"
        lines.append(f"[{stopped}{older}; older jobs were not searched.]")
    return "\n".join(lines)


def _matches(count: int) -> str:
    return "1 match" if count == 1 else f"{count:,} matches"
