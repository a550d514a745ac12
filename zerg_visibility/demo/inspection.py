"""What the commis find out about files: each function takes a listing and gives its findings.

Findings are plain JSON objects, since a model reads them. Work is bounded in files and bytes, and
a file that cannot be read is counted, not raised.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from zerg_visibility.demo.listing import FoundFile, Listing

Findings: TypeAlias = dict[str, Any]

MAX_HASHED_BYTES = 300_000_000
"""Together in one search for duplicates; what would go beyond is not compared."""

MAX_LINE_BYTES = 300_000_000
"""Together in one count of lines."""

NAMED = 5
"""So many files, types or groups are named in findings."""

_BLOCK_BYTES = 1_000_000
_PROBE_BYTES = 8192


def disk_use_by_type(listing: Listing) -> Findings:
    """Add up the sizes of files by the endings of their names."""
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for file in listing.files:
        sizes[file.suffix] += file.size_bytes
        counts[file.suffix] += 1
    ranked = sorted(sizes, key=lambda suffix: (-sizes[suffix], suffix))
    return {
        "files": len(listing.files),
        "folders": listing.folders,
        "closed_folders": listing.closed_folders,
        "only_the_first_files": listing.is_cut,
        "bytes": sum(sizes.values()),
        "types": len(sizes),
        "by_type": [
            {"type": suffix, "files": counts[suffix], "bytes": sizes[suffix]}
            for suffix in ranked[:NAMED]
        ],
    }


def largest_files(listing: Listing) -> Findings:
    """Name the largest files."""
    ranked = sorted(listing.files, key=lambda file: (-file.size_bytes, file.name))
    return {
        "largest": [{"file": file.name, "bytes": file.size_bytes} for file in ranked[:NAMED]],
    }


def equal_sizes(listing: Listing) -> Findings:
    """Count the files that could be duplicates since another one has their size."""
    groups = list(_groups_by_size(listing))
    return {
        "files": len(listing.files),
        "candidates": sum(map(len, groups)),
        "groups": len(groups),
        "bytes": sum(file.size_bytes for group in groups for file in group),
    }


def duplicate_files(listing: Listing) -> Findings:
    """Find files of the same content, by hashing those of equal size."""
    hashed, unreadable, not_compared, read_bytes = 0, 0, 0, 0
    groups: list[list[FoundFile]] = []
    for same_size in _groups_by_size(listing):
        total = sum(file.size_bytes for file in same_size)
        if read_bytes + total > MAX_HASHED_BYTES:
            not_compared += len(same_size)
            continue
        read_bytes += total
        by_content: dict[str, list[FoundFile]] = defaultdict(list)
        for file in same_size:
            try:
                by_content[hash_of(file.path)].append(file)
            except OSError:
                unreadable += 1
            else:
                hashed += 1
        groups += [same for same in by_content.values() if len(same) > 1]
    groups.sort(key=lambda same: (-_wasted(same), same[0].name))
    return {
        "hashed": hashed,
        "unreadable": unreadable,
        "not_compared": not_compared,
        "groups": len(groups),
        "files": sum(map(len, groups)),
        "wasted_bytes": sum(map(_wasted, groups)),
        "largest_groups": [
            {
                "bytes_each": same[0].size_bytes,
                "count": len(same),
                "files": [file.name for file in same[:NAMED]],
            }
            for same in groups[:NAMED]
        ],
    }


def line_counts(listing: Listing) -> Findings:
    """Count the lines of text files by the endings of their names."""
    lines: Counter[str] = Counter()
    texts, binary, unreadable, not_counted, read_bytes = 0, 0, 0, 0, 0
    longest: tuple[int, str] = (0, "")
    for file in listing.files:
        if read_bytes + file.size_bytes > MAX_LINE_BYTES:
            not_counted += 1
            continue
        try:
            count = _lines_of(file)
        except OSError:
            unreadable += 1
            continue
        if count is None:
            binary += 1
            continue
        read_bytes += file.size_bytes
        texts += 1
        lines[file.suffix] += count
        if count > longest[0]:
            longest = (count, file.name)
    ranked = sorted(lines, key=lambda suffix: (-lines[suffix], suffix))
    return {
        "text_files": texts,
        "binary_files": binary,
        "unreadable": unreadable,
        "not_counted": not_counted,
        "lines": sum(lines.values()),
        "by_type": [{"type": suffix, "lines": lines[suffix]} for suffix in ranked[:NAMED]],
        "longest": {"file": longest[1], "lines": longest[0]} if longest[1] else None,
    }


def unreadable_files(listing: Listing) -> Findings:
    """Name the files that this user may not read."""
    names = [file.name for file in listing.files if not os.access(file.path, os.R_OK)]
    return {"files": len(listing.files), "unreadable": len(names), "named": names[:NAMED]}


def hash_file(folder: Path, name: str) -> Findings:
    """Hash one file.

    Args:
        folder: The folder that may be looked at.
        name: A path relative to it, which a model may have made up.

    Raises:
        OSError: There is no such regular file in the folder, or it cannot be read.
    """
    path = Path(os.path.normpath(folder / name.replace("\0", "")))
    # Outside, and through a link to the outside, nothing is to be learnt; not even what is there.
    if not path.resolve().is_relative_to(folder.resolve()) or not _is_regular(path):
        raise FileNotFoundError(f"no such file in the folder: {name[:200]}")
    return {"file": name, "sha256": hash_of(os.fspath(path))}


def hash_of(path: str) -> str:
    """Give the SHA-256 of a file's content as hex digits.

    Raises:
        OSError: It cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _groups_by_size(listing: Listing) -> Iterator[Sequence[FoundFile]]:
    """Yield files of one size, largest first; hard links and empty files waste nothing."""
    by_size: dict[int, dict[tuple[int, int], FoundFile]] = defaultdict(dict)
    for file in listing.files:
        if file.size_bytes:
            by_size[file.size_bytes].setdefault(file.inode, file)
    for size in sorted(by_size, reverse=True):
        if len(by_size[size]) > 1:
            yield list(by_size[size].values())


def _wasted(same: Sequence[FoundFile]) -> int:
    return same[0].size_bytes * (len(same) - 1)


def _lines_of(file: FoundFile) -> int | None:
    """Count the lines of a file; None if it is not text."""
    if not file.size_bytes:
        return 0
    with Path(file.path).open("rb") as opened:
        block = opened.read(_PROBE_BYTES)
        if b"\0" in block:
            return None
        count, last, left = 0, b"", file.size_bytes
        # No more than its size when it was listed: a log file may grow while it is read.
        while block and left > 0:
            block = block[:left]
            left -= len(block)
            count += block.count(b"\n")
            last = block[-1:]
            block = opened.read(_BLOCK_BYTES)
    return count + (last not in {b"", b"\n"})


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
