"""What the commis below a run used, in words."""

from __future__ import annotations

from collections.abc import Sequence

from zerg_visibility.read.run import Child
from zerg_visibility.store.metadata import CommisTotals, DescendantTotals
from zerg_visibility.words import counted, first_of, one_line

NAMED = 3
"""So many children are named."""

NAME_MAX = 30


def children_text(
    children: Sequence[Child], below: DescendantTotals | None, own: CommisTotals
) -> str | None:
    """Write `With its 2 child jobs (#4 research, #5 writer): ...`; None if there are none."""
    if not children:
        return None
    jobs = counted(len(children) if below is None else below.jobs, "child job")
    if below is None:
        return f"It started {jobs} ({names(children)})."
    return f"With its {jobs} ({names(children, below.jobs)}): {sums(below, own)}."


def names(children: Sequence[Child], jobs: int | None = None) -> str:
    """Name the first of so many children: `#4 research, #5 writer (failed) and 3 more`."""
    return first_of([_name(child) for child in children[:NAMED]], NAMED, jobs or len(children))


def sums(below: DescendantTotals, own: CommisTotals) -> str:
    """Say what they and the one above used: `10,790 tokens, 12 LLM calls, 4 tool calls`."""
    tokens = below.total_tokens + own.all_tokens
    llm_calls = counted(below.llm_calls + own.llm_calls, "LLM call")
    tool_calls = counted(below.tool_calls + own.tool_calls, "tool call")
    return (f"{counted(tokens, 'token')}, " if tokens else "") + f"{llm_calls}, {tool_calls}"


def _name(child: Child) -> str:
    job = "" if child.job_id is None else f"#{child.job_id} "
    how = "" if child.status == "success" else f" ({one_line(child.status, NAME_MAX)})"
    return f"{job}{one_line(child.name, NAME_MAX)}{how}"
