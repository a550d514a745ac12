"""Reading part of a file of any size, within a budget of bytes and without loading it whole."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from typing import BinaryIO

from zerg_visibility import words

BLOCK_BYTES = 1_000_000
"""How much of a file is in memory at once while its lines are counted."""

DEFAULT_MAX_BYTES = 32_000
"""The most that one answer holds, a header not counted."""

MARKER_BYTES = 800
"""Kept free for the line that says what was left out; file names in it are cut to fit."""


class NoSuchLineError(LookupError):
    """The file has not so many lines."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text out of a file.

    Args:
        text: What was asked for, shortened in its middle if it was too long.
        reaches_end: Whether the file ends where the text ends.
    """

    text: str
    reaches_end: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """The head or the tail: bytes from `start` to `end`, cut within a line if not `whole`."""

    data: bytes
    start: int
    end: int
    whole: bool

    @property
    def lines(self) -> int:
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))


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
        max_lines: At most so many; None reads to the end.

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
    end, lines = size, None
    if max_lines is not None or size - begin > max_bytes:
        end, lines = _after_lines(file, begin, size, max_lines)
    if end - begin <= max_bytes:
        data = _read(file, begin, end)
        text = data.decode("utf-8", "replace")
        if len(text.encode()) <= max_bytes:
            return Excerpt(text, end == size)
        lines = data.count(b"\n") + (not data.endswith(b"\n")) if lines is None else lines
    half = (max_bytes - MARKER_BYTES) // 2
    head = _head(file, begin, end, half)
    tail = _tail(file, head.end, end, half)
    marker = _marker(file_path, head, tail, start_line, lines or 1)
    first = head.data.decode("utf-8", "replace")
    last = tail.data.decode("utf-8", "replace")
    return Excerpt(f"{first}{'' if head.whole else chr(10)}{marker}\n{last}", end == size)


def _after_lines(file: BinaryIO, start: int, end: int, wanted: int | None) -> tuple[int, int]:
    """Go over so many lines, or all of them; give where that ends and how many there were."""
    if wanted == 0:
        return start, 0
    file.seek(start)
    offset, passed, within_line = start, 0, False
    while block := file.read(min(BLOCK_BYTES, end - offset)):
        newlines = block.count(b"\n")
        if wanted is not None and passed + newlines >= wanted:
            at = -1
            for _ in range(wanted - passed):
                at = block.find(b"\n", at + 1)
            return offset + at + 1, wanted
        passed += newlines
        offset += len(block)
        within_line = not block.endswith(b"\n")
    return offset, passed + within_line


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _head(file: BinaryIO, begin: int, end: int, budget: int) -> _Part:
    data = _read(file, begin, min(end, begin + budget))
    while (over := _encoded(data) - budget) > 0:
        # A byte that is replaced takes three, so dropping a third of the excess is never too much.
        data = data[: len(data) - (over + 2) // 3]
    last_newline = data.rfind(b"\n")
    if last_newline >= 0:
        data = data[: last_newline + 1]
        return _Part(data, begin, begin + len(data), whole=True)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    data = data[: len(data) - len(decoder.getstate()[0])]  # no half of a character
    return _Part(data, begin, begin + len(data), whole=False)


def _tail(file: BinaryIO, begin: int, end: int, budget: int) -> _Part:
    start = max(begin, end - budget)
    data = _read(file, start, end)
    end = start + len(data)
    while (over := _encoded(data) - budget) > 0:
        data = data[(over + 2) // 3 :]
    start = end - len(data)
    if start == 0 or _read(file, start - 1, start) == b"\n":
        return _Part(data, start, end, whole=True)
    first_newline = data.find(b"\n", 0, len(data) - 1)
    if first_newline >= 0:
        data = data[first_newline + 1 :]
        return _Part(data, end - len(data), end, whole=True)
    while data and data[0] & 0xC0 == 0x80 and end - len(data) < start + 3:
        data = data[1:]  # no half of a character
    return _Part(data, end - len(data), end, whole=False)


def _encoded(data: bytes) -> int:
    return len(data.decode("utf-8", "replace").encode())


def _marker(file_path: str, head: _Part, tail: _Part, first: int, lines: int) -> str:
    """Say in one line which lines lie between head and tail, and how to ask for them."""
    missing = words.counted(tail.start - head.end, "byte")
    last = first + lines - 1
    if lines == 1:
        return f"[{missing} left out here: the middle of line {first}, too long to be shown whole.]"
    begin = first + head.lines
    end = last - tail.lines
    what = []
    if not head.whole:
        what.append(f"the rest of line {first}")
    if end >= begin:
        what.append(f"line {begin}" if begin == end else f"lines {begin} to {end}")
    if not tail.whole:
        what.append(f"the beginning of line {last}")
    if end < begin:
        return f"[{missing} left out here: {' and '.join(what)}, too long to be shown whole.]"
    count = end - begin + 1
    fitting = min(count, max(1, head.lines + tail.lines))
    return (
        f"[{words.counted(count, 'line')} and {missing} left out here: {', '.join(what)}. "
        f"Ask for them with read_commis_file, file_path='{words.one_line(file_path, 100)}', "
        f"start_line={begin}, max_lines={fitting}.]"
    )
