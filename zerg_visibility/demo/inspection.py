"""What the commis find out about files: each function takes a listing and answers in sentences.

Work is bounded in bytes, and a file that cannot be read is counted, not raised.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from pathlib import Path

from zerg_visibility.demo.listing import NAME_MAX, FoundFile, Listing
from zerg_visibility.words import counted, one_line, size

MAX_BYTES = 300_000_000
"""Read together by one call of a tool; files beyond it are counted."""

_BLOCK_BYTES = 1_000_000


def disk_use_by_type(listing: Listing) -> str:
    """Add up the sizes of files by the endings of their names."""
    closed = listing.closed_folders
    note = f" {counted(closed, 'folder')} could not be entered." if closed else ""
    if not listing.files:
        return f"The folder holds no files.{note}"
    sizes: Counter[str] = Counter()
    for file in listing.files:
        sizes[file.suffix] += file.size_bytes
    types = ", ".join(f"{suffix} {size(count)}" for suffix, count in sizes.most_common(5))
    first = "The first " if listing.is_cut else ""
    return (
        f"{first}{counted(len(listing.files), 'file')} in {counted(listing.folders, 'folder')} "
        f"{_hold(len(listing.files))} {size(sizes.total())}: {types}.{note}"
    )


def largest_files(listing: Listing) -> str:
    """Name the largest files."""
    ranked = sorted(listing.files, key=lambda file: (-file.size_bytes, file.name))[:3]
    named = ", ".join(f"{file.name} ({size(file.size_bytes)})" for file in ranked)
    return f"Largest: {named}." if named else ""


def duplicate_files(listing: Listing, max_bytes: int = MAX_BYTES) -> str:
    """Find files of the same content, by hashing those of equal size."""
    by_size: dict[int, dict[tuple[int, int], FoundFile]] = defaultdict(dict)
    for file in listing.files:  # hard links and empty files waste nothing
        if file.size_bytes:
            by_size[file.size_bytes].setdefault(file.inode, file)
    skipped = 0
    groups: list[list[FoundFile]] = []
    for length, alike in sorted(by_size.items(), reverse=True):
        if len(alike) == 1:
            continue
        if length * len(alike) > max_bytes:
            skipped += len(alike)
            continue
        max_bytes -= length * len(alike)
        by_content: dict[str, list[FoundFile]] = defaultdict(list)
        for file in alike.values():
            try:
                by_content[_hash_of(file.path)].append(file)
            except OSError:
                skipped += 1
        groups += [same for same in by_content.values() if len(same) > 1]
    note = f" {counted(skipped, 'file')} could not be compared." if skipped else ""
    if not groups:
        return f"No two files have the same content.{note}"
    wasted = [same[0].size_bytes * (len(same) - 1) for same in groups]
    most = groups[wasted.index(max(wasted))]
    others = f" and {len(most) - 2:,} more" if len(most) > 2 else ""
    return (
        f"Identical files: {counted(len(groups), 'group')}, wasting {size(sum(wasted))}; most of "
        f"it {most[0].name} = {most[1].name}{others} ({size(most[0].size_bytes)} each).{note}"
    )


def line_counts(listing: Listing, max_bytes: int = MAX_BYTES) -> str:
    """Count the lines of text files by the endings of their names."""
    lines: Counter[str] = Counter()
    longest, texts = (0, ""), 0
    for file in listing.files:
        try:
            count = _lines_of(file.path) if file.size_bytes <= max_bytes else None
        except OSError:
            count = None
        if count is not None:
            max_bytes -= file.size_bytes
            texts += 1
            lines[file.suffix] += count
            longest = max(longest, (count, file.name))
    if not texts:
        return "There are no text files."
    types = ", ".join(f"{suffix} {count:,}" for suffix, count in lines.most_common(5))
    others = len(listing.files) - texts
    return (
        f"{counted(texts, 'text file')} {_hold(texts)} {counted(lines.total(), 'line')}: {types}. "
        f"Longest: {longest[1]} ({longest[0]:,})."
        + (f" {counted(others, 'other file')} not counted." if others else "")
    )


def unreadable_files(listing: Listing) -> str:
    """Name the files that this user may not read."""
    names = [file.name for file in listing.files if not os.access(file.path, os.R_OK)]
    files = counted(len(listing.files), "file")
    if names:
        return f"{len(names):,} of {files} cannot be read: {', '.join(names[:3])}."
    whole = "The only file" if len(listing.files) == 1 else f"All {files}"
    return f"{whole} can be read." if listing.files else ""


def hash_file(folder: Path, name: str) -> str:
    """Hash one file of a folder, by a relative path that a model may have made up.

    Raises:
        OSError: There is no such regular file in the folder, or it cannot be read.
    """
    path = Path(os.path.normpath(folder / name.replace("\0", "")))
    # Outside, and through a link to the outside, nothing is to be learnt; not even what is there.
    inside = path.resolve().is_relative_to(folder.resolve())
    if not inside or path.is_symlink() or not path.is_file():
        raise FileNotFoundError(f"no such file in the folder: {name[:200]}")
    return f"{one_line(name, NAME_MAX)} has the SHA-256 {_hash_of(os.fspath(path))[:16]}."


def _hold(count: int) -> str:
    return "holds" if count == 1 else "hold"


def _hash_of(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines_of(path: str) -> int | None:
    """Count the lines of a file; None if it is not text."""
    count, last = 0, b"\n"
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if b"\0" in block:
                return None
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")
