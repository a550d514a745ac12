"""The commis that can be sent into a folder: what each is for, and its tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from langchain_core.tools import BaseTool, StructuredTool

from zerg_visibility.demo import inspection
from zerg_visibility.demo.inspection import Findings
from zerg_visibility.demo.listing import Listing, list_files

MISSING_FILE = "missing-on-purpose.txt"
"""What the last commis tries to read where every file can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialist:
    """One kind of commis.

    Args:
        name: What the concierge calls it.
        purpose: What it is for, as a task.
        tools: What it works with.
    """

    name: str
    purpose: str
    tools: tuple[BaseTool, ...]


def make_team(folder: Path, skip: Path) -> tuple[Specialist, ...]:
    """Give the commis for a folder.

    Args:
        folder: The folder that their tools look at, and that they cannot leave.
        skip: A folder in it that they leave out.
    """

    def look(name: str, description: str, find: Callable[[Listing], Findings]) -> BaseTool:
        def run() -> str:
            return _to_json(find(list_files(folder, skip)))

        return StructuredTool.from_function(func=run, name=name, description=description)

    def hash_file(file: str) -> str:
        return _to_json(inspection.hash_file(folder, file))

    return (
        Specialist(
            name="disk-use",
            purpose="Measure disk use by file type and name the largest files.",
            tools=(
                look(
                    "disk_use_by_type",
                    "Add up file sizes by file type.",
                    inspection.disk_use_by_type,
                ),
                look("largest_files", "Name the largest files.", inspection.largest_files),
            ),
        ),
        Specialist(
            name="duplicates",
            purpose="Find duplicate files by hash and say how much space they waste.",
            tools=(
                look(
                    "equal_sizes",
                    "Count files that have the size of another; call this first.",
                    inspection.equal_sizes,
                ),
                look(
                    "duplicate_files",
                    "Hash files of equal size and give groups of identical ones.",
                    inspection.duplicate_files,
                ),
            ),
        ),
        Specialist(
            name="line-counts",
            purpose="Count lines of text by file type.",
            tools=(
                look("line_counts", "Count lines of text by file type.", inspection.line_counts),
            ),
        ),
        Specialist(
            name="access",
            purpose=(
                "Look for unreadable files, then hash the first of them. If there are none, try "
                f"to hash {MISSING_FILE}, which is not there: a failed call is part of the demo."
            ),
            tools=(
                look(
                    "unreadable_files",
                    "Name the files that may not be read.",
                    inspection.unreadable_files,
                ),
                StructuredTool.from_function(
                    func=hash_file,
                    name="hash_file",
                    description="Give the SHA-256 of one file, by its path within the folder.",
                ),
            ),
        ),
    )


def _to_json(findings: Findings) -> str:
    return json.dumps(findings, ensure_ascii=False)
