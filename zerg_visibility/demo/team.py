"""The commis that can be sent into a folder: what each is for, and its tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from langchain_core.tools import BaseTool, StructuredTool

from zerg_visibility.demo import inspection
from zerg_visibility.demo.listing import Listing, list_files


class Specialist(NamedTuple):
    """One kind of commis: what it is for, as a task, and its tools in the order of their use."""

    name: str
    purpose: str
    tools: tuple[BaseTool, ...]


def make_team(folder: Path, skip: Path) -> tuple[Specialist, ...]:
    """Give the commis whose tools look at a folder, cannot leave it and skip one inside."""

    def tool(look: Callable[[Listing], str], description: str) -> BaseTool:
        def run() -> str:
            return look(list_files(folder, skip))

        return StructuredTool.from_function(run, name=look.__name__, description=description)

    def hash_file(file: str) -> str:
        return inspection.hash_file(folder, file)

    return (
        Specialist(
            "disk-use",
            "Measure disk use by file type and name the largest files.",
            (
                tool(inspection.disk_use_by_type, "Add up file sizes by file type."),
                tool(inspection.largest_files, "Name the largest files."),
            ),
        ),
        Specialist(
            "duplicates",
            "Find duplicate files by hash and say how much space they waste.",
            (tool(inspection.duplicate_files, "Hash files of equal size, give identical ones."),),
        ),
        Specialist(
            "line-counts",
            "Count lines of text by file type.",
            (tool(inspection.line_counts, "Count lines of text by file type."),),
        ),
        Specialist(
            "access",
            "Look for unreadable files, then hash the first of them. If there are none, try to "
            "hash missing-on-purpose.txt, which is not there: a failed call is part of the demo.",
            (
                tool(inspection.unreadable_files, "Name the files that may not be read."),
                StructuredTool.from_function(
                    hash_file,
                    name="hash_file",
                    description="Give the SHA-256 of one file, by its path within the folder.",
                ),
            ),
        ),
    )
