"""The offline model's answers: sentences made of what tools have found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from zerg_visibility.words import counted, size

_RESULT = re.compile(
    r"Result from commis job (?P<job>\S+) \(commis (?P<commis>\S+)\):\n\n"
    r"Execution time: (?P<time>[^\n]+)\n\n(?P<text>.*)",
    re.DOTALL,
)
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRead:
    """What `read_commis_result` said of one job.

    Args:
        job: The job's number.
        commis_id: The commis's directory; None if nothing was said of it.
        time: Its execution time in words.
        text: What it answered.
    """

    job: str
    commis_id: str | None
    time: str
    text: str

    @classmethod
    def of(cls, said: str) -> Self:
        """Read the tool's words."""
        found = _RESULT.match(said)
        if found is None:  # still running, or a store that cannot be read: repeat what was said
            return cls(job="?", commis_id=None, time="unknown", text=said)
        return cls(
            job=found["job"], commis_id=found["commis"], time=found["time"], text=found["text"]
        )

    @property
    def taken_ms(self) -> float:
        """The execution time in milliseconds; 0 if it is unknown."""
        parts = re.findall(r"([\d.]+)(ms|s|m|h)\b", self.time)
        return sum(float(number) * _UNITS_MS[unit] for number, unit in parts)


def of_concierge(
    read: Sequence[JobRead], names: Mapping[str, str], slowest: JobRead, metrics: str
) -> str:
    """Answer the user from what the commis answered.

    Args:
        read: Every result.
        names: The commis of each job.
        slowest: The one that was looked at more closely.
        metrics: What `get_commis_metrics` said of it.
    """
    parts = [
        f"Job {job.job}{_named(job, names)}\nExecution time: {job.time}\n{job.text}" for job in read
    ]
    shares = " ".join(
        line for line in metrics.splitlines() if line.startswith(("LLM:", "Tools:", "Other"))
    )
    parts.append(f"The slowest was job {slowest.job}{_named(slowest, names)}. {shares}".rstrip())
    return "\n\n".join(parts)


def of_commis(outputs: Mapping[str, str]) -> str:
    """Answer the concierge from what tools gave.

    Args:
        outputs: The text of each tool that was called.
    """
    return " ".join(filter(None, (_sentence(tool, text) for tool, text in outputs.items())))


def _named(job: JobRead, names: Mapping[str, str]) -> str:
    return f" ({names[job.job]})" if job.job in names else ""


def _sentence(tool: str, text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:  # not findings but an error
        # The first line is the error; ToolNode adds an appeal to the model.
        return f"{tool} failed: {text.splitlines()[0].removeprefix('Error: ')}."
    say = _SENTENCES.get(tool)
    return say(found) if say is not None else text


def _disk_use(found: dict[str, Any]) -> str:
    files = counted(found["files"], "file")
    closed = found["closed_folders"]
    note = f" {counted(closed, 'folder')} could not be entered." if closed else ""
    if not found["files"]:
        return f"The folder holds no files.{note}"
    types = ", ".join(f"{item['type']} {size(item['bytes'])}" for item in found["by_type"])
    first = "The first " if found["only_the_first_files"] else ""
    return (
        f"{first}{files} in {counted(found['folders'], 'folder')} hold {size(found['bytes'])}: "
        f"{types}.{note}"
    )


def _largest(found: dict[str, Any]) -> str:
    if not found["largest"]:
        return ""
    named = [f"{item['file']} ({size(item['bytes'])})" for item in found["largest"][:3]]
    return f"Largest: {', '.join(named)}."


def _equal_sizes(found: dict[str, Any]) -> str:
    if not found["candidates"]:
        return "No two files have the same size."
    return f"{found['candidates']:,} of {counted(found['files'], 'file')} share their size."


def _duplicates(found: dict[str, Any]) -> str:
    skipped = found["not_compared"] + found["unreadable"]
    note = f" {counted(skipped, 'file')} could not be compared." if skipped else ""
    if not found["groups"]:
        return f"No two files have the same content.{note}"
    most = found["largest_groups"][0]
    others = most["count"] - 2
    also = f" and {others:,} more" if others else ""
    return (
        f"Identical files: {counted(found['groups'], 'group')}, wasting "
        f"{size(found['wasted_bytes'])}; most of it {most['files'][0]} = {most['files'][1]}{also} "
        f"({size(most['bytes_each'])} each).{note}"
    )


def _line_counts(found: dict[str, Any]) -> str:
    if not found["text_files"]:
        return "There are no text files."
    types = ", ".join(f"{item['type']} {item['lines']:,}" for item in found["by_type"])
    longest = found["longest"]
    return (
        f"{counted(found['text_files'], 'text file')} hold {counted(found['lines'], 'line')}: "
        f"{types}."
        + (f" Longest: {longest['file']} ({longest['lines']:,})." if longest else "")
        + f" Binary: {counted(found['binary_files'], 'file')}."
    )


def _unreadable(found: dict[str, Any]) -> str:
    if not found["unreadable"]:
        return f"All {counted(found['files'], 'file')} can be read." if found["files"] else ""
    named = ", ".join(found["named"][:3])
    return f"{found['unreadable']:,} of {counted(found['files'], 'file')} cannot be read: {named}."


def _hashed(found: dict[str, Any]) -> str:
    return f"{found['file']} has the SHA-256 {found['sha256'][:16]}."


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "disk_use_by_type": _disk_use,
    "largest_files": _largest,
    "equal_sizes": _equal_sizes,
    "duplicate_files": _duplicates,
    "line_counts": _line_counts,
    "unreadable_files": _unreadable,
    "hash_file": _hashed,
}
