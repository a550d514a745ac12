"""Searches lines; a program of its own, so that a regular expression that never ends can be killed.

Standard library only. It reads one JSON object from stdin:
`{"pattern", "regex", "seconds", "keep", "max_bytes", "sources": [{"fd": 5}, {"text": "..."}]}`
and writes one JSON line for each source as soon as it is done:
`{"source": 0, "count": 2, "hits": [[12, "text around it"]], "complete": true}`,
or a single `{"error": "..."}` if the pattern is no regular expression.

The library `regex`, which has a time limit of its own, is no replacement: it unrolls repeats when
it compiles, so that `a{4294967294}` takes gigabytes before the limit counts, and its limit is CPU
time of the whole process.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO

PIECE_BYTES = 65_536
"""A longer line is searched in pieces of this size."""

OVERLAP_BYTES = 8_192
"""How much of a piece is searched again with the next, so that no match falls between two."""

BEFORE, AFTER = 60, 140
"""Characters of a line that are shown before and after the place found."""


def scan(
    file: BinaryIO, find: Callable[[str], int], keep: int, max_bytes: int, deadline: float
) -> dict[str, Any]:
    """Search one file line by line.

    Args:
        file: What to search.
        find: Gives the position of a match in a text, or -1.
        keep: How many matching lines to give; further ones are counted.
        max_bytes: Stop after so many.
        deadline: Stop at this time of the monotonic clock.
    """
    hits: list[tuple[int, str]] = []
    count, line, total = 0, 1, 0
    carried, found = b"", False
    complete = False
    while total <= max_bytes and time.monotonic() < deadline:
        try:
            piece = file.readline(PIECE_BYTES)
        except OSError:
            break
        if not piece:
            complete = True
            break
        total += len(piece)
        if not found:
            text = (carried + piece).decode("utf-8", "replace").rstrip("\r\n")
            at = find(text)
            if at >= 0:
                found = True
                count += 1
                if len(hits) < keep:
                    hits.append((line, around(text, at)))
        if piece.endswith(b"\n"):
            line, carried, found = line + 1, b"", False
        else:
            carried = (carried + piece)[-OVERLAP_BYTES:]
    return {"count": count, "hits": hits, "complete": complete}


def around(text: str, at: int) -> str:
    """Give the part of a line around a place in it."""
    if len(text) <= BEFORE + AFTER:
        return text
    begin = max(0, min(at - BEFORE, len(text) - BEFORE - AFTER))
    end = begin + BEFORE + AFTER
    return ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")


def finder(pattern: str, regex: bool) -> Callable[[str], int]:
    """Make the function that finds a pattern in a text.

    Raises:
        ValueError: It is not a regular expression.
    """
    if not regex:
        return lambda text: text.find(pattern)
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error

    def find(text: str) -> int:
        match = compiled.search(text)
        return match.start() if match else -1

    return find


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    seconds = request["seconds"]
    deadline = time.monotonic() + seconds
    # Should the parent die, only the alarm, which kills, would stop a match that never ends.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(seconds) + 2)
    try:
        find = finder(request["pattern"], request["regex"])
    except ValueError as error:
        say({"error": str(error)})
        return
    keep = request["keep"]
    for number, source in enumerate(request["sources"]):
        if time.monotonic() >= deadline:
            return
        with opened(source) as file:
            outcome = scan(file, find, keep, request["max_bytes"], deadline)
        keep -= len(outcome["hits"])
        say({"source": number, **outcome})


def opened(source: dict[str, Any]) -> BinaryIO:
    """Give a source as a file."""
    if "text" in source:
        return io.BytesIO(source["text"].encode("utf-8", "replace"))
    return os.fdopen(source["fd"], "rb")


def say(answer: dict[str, Any]) -> None:
    """Write one line of the answer at once, since this process may be killed at any moment."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
