"""Searches lines; a program of its own, so that a regular expression that never ends can be killed.

Standard library only. It reads one JSON object from stdin:
`{"pattern", "regex", "seconds", "keep", "max_bytes", "sources": [5, "a text"]}`, where a number is
an open file,
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
    file: BinaryIO,
    search: Callable[[str], re.Match[str] | None],
    keep: int,
    max_bytes: int,
    deadline: float,
) -> dict[str, Any]:
    """Search one file line by line, until so many bytes or that time of the monotonic clock.

    So many matching lines are kept; further ones are counted.
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
            if match := search(text):
                found = True
                count += 1
                if len(hits) < keep:
                    hits.append((line, around(text, match.start())))
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


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    seconds = request["seconds"]
    deadline = time.monotonic() + seconds
    # Should the parent die, only the alarm, which kills, would stop a match that never ends.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(seconds) + 2)
    pattern = request["pattern"]
    try:
        search = re.compile(pattern if request["regex"] else re.escape(pattern)).search
    except (re.error, RecursionError, OverflowError) as error:
        say({"error": str(error)})
        return
    keep = request["keep"]
    for number, source in enumerate(request["sources"]):
        if time.monotonic() >= deadline:
            return
        is_file = isinstance(source, int)
        file: BinaryIO = (
            os.fdopen(source, "rb") if is_file else io.BytesIO(source.encode(errors="replace"))
        )
        with file:
            outcome = scan(file, search, keep, request["max_bytes"], deadline)
        keep -= len(outcome["hits"])
        say({"source": number, **outcome})


def say(answer: dict[str, Any]) -> None:
    """Write one line of the answer at once, since this process may be killed at any moment."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
