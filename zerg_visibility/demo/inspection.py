"""What the commis find out about files: each function takes a listing and answers in sentences.

Work is bounded in files and bytes, and a file that cannot be read is counted, not raised.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zerg_visibility.words import counted, one_line, size

# Of files in a listing, of bytes read by one call of a tool, and of bytes of a file that is read at
# all: a demo started in a home directory ends in seconds.
MAX_FILES, MAX_BYTES, FILE_MAX_BYTES = 20_000, 300_000_000, 50_000_000

# Characters of a file's name in what a tool answers.
NAME_MAX = 160


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


def disk_use_by_type(listing: Listing) -> str:
    """Add up file sizes by file type."""
    note = _note(listing.closed_folders, "folder", "could not be entered")
    if not listing.files:
        return f"The folder holds no files.{note}"
    sizes: Counter[str] = Counter()
    for file in listing.files:
        sizes[file.suffix] += file.size_bytes
    types = ", ".join(f"{suffix} {size(count)}" for suffix, count in sizes.most_common(5))
    return (
        f"{'The first ' if listing.is_cut else ''}{counted(len(listing.files), 'file')} in "
        f"{counted(listing.folders, 'folder')} {_hold(len(listing.files))} "
        f"{size(sizes.total())}: {types}.{note}"
    )


def largest_files(listing: Listing) -> str:
    """Name the largest files."""
    ranked = sorted(listing.files, key=lambda file: (-file.size_bytes, file.name))[:3]
    named = ", ".join(f"{file.name} ({size(file.size_bytes)})" for file in ranked)
    return f"Largest: {named}." if named else ""


def duplicate_files(listing: Listing, max_bytes: int = MAX_BYTES) -> str:
    """Hash files of equal size, give identical ones."""
    by_size: dict[int, dict[tuple[int, int], FoundFile]] = defaultdict(dict)
    for file in listing.files:  # hard links and empty files waste nothing
        if file.size_bytes:
            by_size[file.size_bytes].setdefault(file.inode, file)
    alike = [file for same in by_size.values() if len(same) > 1 for file in same.values()]
    by_content: dict[bytes, list[FoundFile]] = defaultdict(list)
    for file, content in _contents(alike, max_bytes):
        by_content[hashlib.sha256(content).digest()].append(file)
    skipped = len(alike) - sum(map(len, by_content.values()))
    note = _note(skipped, "file", "could not be compared")
    wasted = {  # in bytes, by the files of one content
        tuple(same): same[0].size_bytes * (len(same) - 1)
        for same in by_content.values()
        if len(same) > 1
    }
    if not wasted:
        return f"No two files have the same content.{note}"
    most = max(wasted, key=lambda same: wasted[same])
    others = f" and {len(most) - 2:,} more" if len(most) > 2 else ""
    return (
        f"Identical files: {counted(len(wasted), 'group')}, wasting {size(sum(wasted.values()))}; "
        f"most of it {most[0].name} = {most[1].name}{others} ({size(most[0].size_bytes)} each)."
        f"{note}"
    )


def line_counts(listing: Listing, max_bytes: int = MAX_BYTES) -> str:
    """Count lines of text by file type."""
    lines: Counter[str] = Counter()
    longest, texts = (0, ""), 0
    # The small ones first, which are texts more often.
    by_size = sorted(listing.files, key=lambda file: file.size_bytes)
    for file, content in _contents(by_size, max_bytes):
        if b"\0" not in content:
            count = content.count(b"\n") + (content[-1:] not in {b"\n", b""})
            texts += 1
            lines[file.suffix] += count
            longest = max(longest, (count, file.name))
    if not texts:
        return "There are no text files."
    types = ", ".join(f"{suffix} {count:,}" for suffix, count in lines.most_common(5))
    return (
        f"{counted(texts, 'text file')} {_hold(texts)} {counted(lines.total(), 'line')}: {types}. "
        f"Longest: {longest[1]} ({longest[0]:,})."
        f"{_note(len(listing.files) - texts, 'other file', 'not counted')}"
    )


def unreadable_files(listing: Listing) -> str:
    """Name the files that may not be read."""
    names = [file.name for file in _unreadable(listing)]
    files = counted(len(listing.files), "file")
    if names:
        return f"{len(names):,} of {files} cannot be read: {', '.join(names[:3])}."
    whole = "The only file" if len(listing.files) == 1 else f"All {files}"
    return f"{whole} can be read." if listing.files else ""


def hash_file(listing: Listing) -> str:
    """Hash the first file that may not be read; if there is none, missing-on-purpose.txt."""
    for file in _unreadable(listing):
        with Path(file.path).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return f"{file.name} has the SHA-256 {digest[:16]}."
    raise FileNotFoundError("no such file in the folder: missing-on-purpose.txt")


def _hold(count: int) -> str:
    return "holds" if count == 1 else "hold"


def _unreadable(listing: Listing) -> list[FoundFile]:
    return [file for file in listing.files if not os.access(file.path, os.R_OK)]


def _contents(files: Iterable[FoundFile], max_bytes: int) -> Iterator[tuple[FoundFile, bytes]]:
    """Read one file after another, without those too large together and those that cannot be."""
    for file in files:
        if file.size_bytes <= min(max_bytes, FILE_MAX_BYTES):
            try:
                content = Path(file.path).read_bytes()
            except OSError:
                continue
            max_bytes -= len(content)
            yield file, content


def _note(count: int, noun: str, verb: str) -> str:
    return f" {counted(count, noun)} {verb}." if count else ""
