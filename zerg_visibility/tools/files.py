"""read_commis_file: a file of a commis, bounded, by a name that a model gave."""

from __future__ import annotations

import io
from typing import BinaryIO

import orjson
from langchain_core.tools import ToolException

from zerg_visibility import words
from zerg_visibility.read.excerpt import NoSuchLineError, excerpt
from zerg_visibility.tools.access import ConciergeView

TORN_NOTE = "\n[The last line is unfinished: it is being written, or its writer died.]"

LAST_LINE_BYTES = 1_000_000
"""A last line longer than this is taken for unfinished if no newline ends it."""


def read_file(
    view: ConciergeView,
    job_id: int | str,
    file_path: str,
    start_line: int | None = None,
    max_lines: int | None = None,
) -> str:
    """Give the text of a file of a commis."""
    for name, value in (("start_line", start_line), ("max_lines", max_lines)):
        if value is not None and value < 1:
            raise ToolException(f"{name} must be 1 or more.")
    commis = view.find(job_id)
    with view.open_file(commis, file_path) as file:
        torn = file_path.endswith(".jsonl") and _is_torn(file)
        room = view.max_bytes - len(TORN_NOTE) if torn else view.max_bytes
        try:
            found = excerpt(file, file_path, room, start_line=start_line or 1, max_lines=max_lines)
        except NoSuchLineError as error:
            raise ToolException(str(error)) from error
    note = TORN_NOTE if torn and found.reaches_end else ""
    header = f"Contents of {words.one_line(file_path, 200)} from {commis.label}:"
    return f"{header}\n\n{found.text or '[The file is empty.]'}{note}"


def _is_torn(file: BinaryIO) -> bool:
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - LAST_LINE_BYTES))
    last_line = file.read(LAST_LINE_BYTES).rpartition(b"\n")[2]
    if not last_line.strip():
        return False
    try:
        orjson.loads(last_line)
    except ValueError:
        return True
    return False
