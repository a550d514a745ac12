"""The files below a folder, found anew by each tool, as a real inspection would."""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from zerg_visibility.words import one_line

MAX_FILES = 20_000
"""A listing stops here, so that a demo started in a home directory ends in seconds."""

NAME_MAX = 160
"""Characters of a file's name in what a tool answers."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file.

    Args:
        path: Where it is, as the system spells it.
        name: The same relative to the folder, as text that is safe to show.
        suffix: Its type: `.py`, or `(none)`.
        size_bytes: Its length.
        inode: Device and inode; two names of one file have the same.
    """

    path: str
    name: str
    suffix: str
    size_bytes: int
    inode: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies below a folder.

    Args:
        files: Its regular files, folder by folder, each by name.
        folders: How many folders were entered.
        closed_folders: How many could not be entered.
        is_cut: Whether there is more than MAX_FILES.
    """

    files: tuple[FoundFile, ...]
    folders: int
    closed_folders: int
    is_cut: bool


def list_files(folder: Path, skip: Path, limit: int = MAX_FILES) -> Listing:
    """Find the regular files below a folder.

    Symbolic links are not followed, other file systems (such as /proc) not entered, and whatever
    vanishes meanwhile is left out.

    Args:
        folder: Where to look.
        skip: A folder that is left out: the store, which grows while its own demo looks at it.
        limit: Stop after so many files.
    """
    top, left_out = os.fspath(folder), os.fspath(skip)
    device = folder.stat().st_dev
    files: list[FoundFile] = []
    entered, closed = 0, 0
    waiting = deque([top])
    while waiting:
        here = waiting.popleft()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            closed += 1
            continue
        entered += 1
        for entry in entries:
            try:
                known = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(known.st_mode):
                if known.st_dev == device and entry.path != left_out:
                    waiting.append(entry.path)
            elif stat.S_ISREG(known.st_mode):
                if len(files) == limit:
                    return _listing(files, entered, closed, is_cut=True)
                files.append(_found(entry, known, len(top)))
    return _listing(files, entered, closed, is_cut=False)


def _listing(files: list[FoundFile], entered: int, closed: int, *, is_cut: bool) -> Listing:
    return Listing(files=tuple(files), folders=entered, closed_folders=closed, is_cut=is_cut)


def _found(entry: os.DirEntry[str], known: os.stat_result, top_length: int) -> FoundFile:
    return FoundFile(
        path=entry.path,
        name=one_line(entry.path[top_length:].lstrip(os.sep), NAME_MAX) or "?",
        suffix=one_line(Path(entry.name).suffix.lower(), 20) or "(none)",
        size_bytes=known.st_size,
        inode=(known.st_dev, known.st_ino),
    )
