"""Reading part of a file of any size, within a budget of bytes and without loading it whole."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import BinaryIO

from zerg_visibility import words

BLOCK_BYTES = 1_000_000
"""How much of a file is in memory at once while its lines are counted."""

DEFAULT_MAX_BYTES = 32_000
"""The most that one answer holds, a header not counted."""

MARKER_BYTES = 800
"""Kept free for the line that says what was left out; file names in it are cut to fit."""


# Where a line is cut, no half of a character is left.
_LAST_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]{0,3}\Z")
_REST_OF_CHARACTER = re.compile(rb"\A[\x80-\xbf]{1,3}")


class NoSuchLineError(LookupError):
    """The file has not so many lines."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text out of a file, shortened in its middle if too long, and whether the file ends there."""

    text: str
    reaches_end: bool


def excerpt(
    file: BinaryIO,
    file_path: str,
    max_bytes: int,
    *,
    start_line: int = 1,
    max_lines: int | None = None,
) -> Excerpt:
    """Read lines of a file, head and tail of them if they are too many.

    Bytes that are not UTF-8 are replaced. What is appended meanwhile is not read.

    Args:
        file: Open for reading, seekable.
        file_path: What the model calls it, for the sentence on how to ask for the rest.
        max_bytes: The most to give, as UTF-8; at least twice MARKER_BYTES.
        start_line: The first line, from 1 on.
        max_lines: None reads to the end.

    Raises:
        NoSuchLineError: The file has fewer lines than start_line.
    """
    size = file.seek(0, io.SEEK_END)
    begin, passed = _after_lines(file, 0, size, start_line - 1)
    if start_line > 1 and begin >= size:
        raise NoSuchLineError(
            f"start_line {words.one_line(str(start_line), 20)} is past the end: "
            f"the file has {words.counted(passed, 'line')}."
        )
    end, lines = _after_lines(file, begin, size, max_lines)
    if end - begin <= max_bytes:
        text = _text(_read(file, begin, end))
        if len(text.encode()) <= max_bytes:
            return Excerpt(text, end == size)
    half = (max_bytes - MARKER_BYTES) // 2
    head = _head(_read(file, begin, min(end, begin + half)), half)
    begin_of_tail = max(begin + len(head), end - half)
    tail, is_whole = _tail(_read(file, begin_of_tail - 1, end), half)
    missing = end - begin - len(head) - len(tail)
    marker = _marker(file_path, head, tail, is_whole, start_line, lines, missing)
    newline = "" if head.endswith(b"\n") else "\n"
    return Excerpt(f"{_text(head)}{newline}{marker}\n{_text(tail)}", end == size)


def _after_lines(file: BinaryIO, start: int, end: int, wanted: int | None) -> tuple[int, int]:
    """Go over so many lines, or all of them; give where that ends and how many there were."""
    file.seek(start)
    offset, passed, piece = start, 0, b"\n"
    while passed != wanted and (piece := file.readline(min(BLOCK_BYTES, end - offset))):
        offset += len(piece)
        passed += piece.endswith(b"\n") or offset == end
    return offset, passed


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _over(data: bytes, budget: int) -> int:
    # A byte that is replaced takes three, so dropping a third of the excess is never too much.
    return (max(0, len(_text(data).encode()) - budget) + 2) // 3


def _head(data: bytes, budget: int) -> bytes:
    """Keep the beginning: whole lines, or if not even one fits, whole characters."""
    while over := _over(data, budget):
        data = data[:-over]
    return data[: data.rfind(b"\n") + 1] or _LAST_CHARACTER.sub(b"", data)


def _tail(data: bytes, budget: int) -> tuple[bytes, bool]:
    """Keep the end in the same way, and say whether it is whole lines.

    The first byte only tells whether a line begins after it.
    """
    while over := _over(data[1:], budget):
        data = data[over:]
    newline = data.find(b"\n", 0, len(data) - 1)
    if newline >= 0:
        return data[newline + 1 :], True
    return _REST_OF_CHARACTER.sub(b"", data[1:]), False


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _marker(
    path: str, head: bytes, tail: bytes, tail_is_whole: bool, first: int, lines: int, left_out: int
) -> str:
    """Say in one line which lines lie between head and tail, and how to ask for them."""
    missing = words.counted(left_out, "byte")
    last = first + lines - 1
    if lines == 1:
        return f"[{missing} left out here: the middle of line {first}, too long to be shown whole.]"
    begin = first + _lines(head)
    end = last - _lines(tail)
    what = []
    if not head.endswith(b"\n"):
        what.append(f"the rest of line {first}")
    if end >= begin:
        what.append(f"line {begin}" if begin == end else f"lines {begin} to {end}")
    if not tail_is_whole:
        what.append(f"the beginning of line {last}")
    if end < begin:
        return f"[{missing} left out here: {' and '.join(what)}, too long to be shown whole.]"
    count = end - begin + 1
    fitting = min(count, max(1, _lines(head) + _lines(tail)))
    return (
        f"[{words.counted(count, 'line')} and {missing} left out here: {', '.join(what)}. "
        f"Ask for them with read_commis_file, file_path='{words.one_line(path, 100)}', "
        f"start_line={begin}, max_lines={fitting}.]"
    )
