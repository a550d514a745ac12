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
    """A regular file; its name is relative to the folder, and safe to show."""

    path: str
    name: str
    suffix: str
    size_bytes: int
    inode: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listing:
    """The regular files below a folder, and how many folders were entered and could not be."""

    files: tuple[FoundFile, ...]
    folders: int
    closed_folders: int
    is_cut: bool


def list_files(folder: Path, skip: Path, limit: int = MAX_FILES) -> Listing:
    """Find the regular files below a folder, up to a limit, without entering the one to skip.

    Symbolic links are not followed, other file systems (such as /proc) not entered, and whatever
    vanishes meanwhile is left out.
    """
    top, device = os.fspath(folder), folder.stat().st_dev
    files: list[FoundFile] = []
    entered = closed = 0
    waiting = deque([top])
    while waiting:
        try:
            with os.scandir(waiting.popleft()) as found:
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
                if known.st_dev == device and entry.path != os.fspath(skip):
                    waiting.append(entry.path)
            elif stat.S_ISREG(known.st_mode):
                if len(files) == limit:
                    return Listing(tuple(files), entered, closed, is_cut=True)
                name = one_line(entry.path[len(top) :].lstrip(os.sep), NAME_MAX) or "?"
                suffix = one_line(Path(entry.name).suffix.lower(), 20) or "(none)"
                inode = (known.st_dev, known.st_ino)
                files.append(FoundFile(entry.path, name, suffix, known.st_size, inode))
    return Listing(tuple(files), entered, closed, is_cut=False)
