"""Every path and file name of a store, as pure functions; untrusted parts are checked here."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from zerg_visibility.words import is_storable

COMMIS = "commis"
CONCIERGE = "concierge"
JOBS = "jobs"
KEYS = "keys"
TRACES = "traces"

METADATA = "metadata.json"
RESULT = "result.txt"
METRICS = "metrics.jsonl"
STARTED = "started.jsonl"
THREAD = "thread.jsonl"
TOOL_CALLS = "tool_calls"

SLUG_MAX = 30
"""Characters of a task's slug."""

# What an id that we made can look like; nothing else is ever joined to a path.
_OWN_ID = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}_[a-z0-9]+(?:-[a-z0-9]+)*\Z", re.ASCII)
_JOB_ID = re.compile(r"[1-9]\d{0,17}\Z", re.ASCII)
_TRACE_ID = re.compile(r"[0-9a-f]{32}\Z", re.ASCII)
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_NOT_FILE = re.compile(r"[^A-Za-z0-9_.-]+")


def slug(text: str) -> str:
    """Turn any text into ASCII kebab-case of at most 30 characters; nothing left gives "task"."""
    # Only the beginning can matter: 100 kB of task must not cost 100 kB of work. Compatibility
    # characters can shrink or vanish, hence far more than 30.
    ascii_text = unicodedata.normalize("NFKD", text[:2000]).encode("ascii", "ignore").decode()
    words = _NOT_SLUG.sub("-", ascii_text.lower()).strip("-")
    return words[:SLUG_MAX].rstrip("-") or "task"


def is_own_id(text: str) -> bool:
    """Say whether this could be an id that a store made, and so is safe in a path."""
    return len(text) <= 200 and _OWN_ID.match(text) is not None


def job_number(text: str | int) -> int | None:
    """Read a job id; None if it is not a plain positive number."""
    # Annotations hold nobody to them, and True is an int as well.
    if type(text) is int:
        return text if 0 < text < 10**18 else None
    return int(text) if isinstance(text, str) and _JOB_ID.match(text) else None


@lru_cache(maxsize=256)
def commis_place(root: Path, commis_id: str, name: str = "") -> str:
    """Give a commis's directory, or one of its files, as a text: a Path costs many times more.

    Raises:
        ValueError: The id is not one that a store makes; so below.
    """
    return f"{root}/{COMMIS}/{_checked(commis_id)}" + (name and f"/{name}")


def concierge_dir(root: Path, concierge_id: str) -> Path:
    """Give the directory of one root run of a concierge."""
    return Path(f"{root}/{CONCIERGE}/{_checked(concierge_id)}")


def job_place(root: Path, job_id: int) -> str:
    """Give the file that holds the commis id of a job."""
    return f"{root}/{JOBS}/{int(job_id)}"


def key_place(root: Path, key: str) -> str:
    """Give the file that holds the id of a resumable run, by a hash of 32 digits that we made."""
    return f"{root}/{KEYS}/{key}"


def trace_dir(root: Path, trace_id: str) -> Path:
    """Give the directory that names what belongs to a trace, by its 32 hex digits."""
    if not _TRACE_ID.match(trace_id):
        raise ValueError(f"not a trace id: {trace_id[:80]!r}")
    return Path(f"{root}/{TRACES}/{trace_id}")


def tool_output_name(number: int, tool: str) -> str:
    """Give the name of a tool output relative to the commis: tool_calls/001_ssh_exec.txt."""
    stem = _NOT_FILE.sub("_", tool[:1000])[:60].strip("._") or "tool"
    return f"{TOOL_CALLS}/{number:03d}_{stem}.txt"


def relative_parts(file_path: str) -> tuple[str, ...] | None:
    """Split a path that a model named into its parts; None if it could leave the directory."""
    if not file_path or len(file_path) > 500 or "\0" in file_path or "\\" in file_path:
        return None
    parts = tuple(file_path.split("/"))
    # With a dot begin "." and "..", and the temporary names of files half written.
    if any(not part or part.startswith(".") for part in parts):
        return None
    return parts if is_storable(file_path) else None


def _checked(own_id: str) -> str:
    if not is_own_id(own_id):
        raise ValueError(f"not an id of this store: {own_id[:80]!r}")
    return own_id
