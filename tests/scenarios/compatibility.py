"""The README's compatibility table, made of the scenarios.

Printed by `python -m tests.scenarios.compatibility`.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from tests.scenarios import test_scenarios  # noqa: F401 - fills the table
from tests.scenarios.expect import Commis
from tests.scenarios.table import TABLE, Scenario

HEADINGS = {
    "shapes": "Shapes",
    "agents": "Agents",
    "failures": "Failures",
    "control": "Interrupts, resumes, handoffs",
    "retries": "Retries",
    "endings": "Ends that LangChain reports late or not at all",
    "models": "Models and streams",
}


def markdown() -> str:
    """Write the table as Markdown."""
    lines = ["| what happens | what is recorded |", "| --- | --- |"]
    rows = sorted(TABLE, key=lambda row: list(HEADINGS).index(module(row)))
    for name, group in groupby(rows, key=module):
        lines.append(f"| **{HEADINGS[name]}** | |")
        lines += [f"| {row.name} | {recorded(row.expected)} |" for row in group]
    return "\n".join(lines)


def module(row: Scenario) -> str:
    return row.run.__module__.rsplit(".", 1)[-1]


def recorded(expected: tuple[Commis, ...]) -> str:
    """Say in words what a row expects."""
    counted = Counter(one(commis) for commis in expected)
    return "; ".join(f"{n} times {text}" if n > 1 else text for text, n in counted.items())


def one(commis: Commis) -> str:
    parts = [f"`{commis.status}`"]
    if commis.segments > 1:
        parts.append(f"in {commis.segments} segments")
    if commis.attempts > 1:
        parts.append(f"{commis.attempts} attempts")
    calls = Counter(
        (reason(record), "LLM call" if record["event"] == "llm_call" else "tool call")
        for record in commis.records
    )
    parts += [f"{n} {how}{what}{'s' if n > 1 else ''}" for (how, what), n in calls.items()]
    text = ", ".join(parts)
    return text + "".join(f" > {one(child)}" for child in commis.children)


def reason(record: dict[str, object]) -> str:
    if record["success"]:
        return ""
    return {"cancelled": "cancelled ", "timeout": "timed-out "}.get(str(record["error"]), "failed ")


if __name__ == "__main__":
    print(markdown())
