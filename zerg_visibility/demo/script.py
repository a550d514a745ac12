"""What the offline model says next: rules over the tools it is offered and the messages it sees."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from zerg_visibility.demo import answers
from zerg_visibility.demo.answers import JobRead

START_TOOL = "start_commis"
"""The tool with which the concierge sends commis."""

_PURPOSE = re.compile(r"^- (?P<name>[\w-]+): (?P<task>.+)$", re.MULTILINE)
_REPORTED = re.compile(r"^Commis job (?P<job>\S+) \((?P<name>[^)]*)\)")
_PATH_IN_TASK = re.compile(r"\bhash (?P<file>\S+\.\w+)")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool that the model asks for."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model says: text, calls of tools, or both."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def next_turn(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> Turn:
    """Decide what to say.

    Args:
        messages: The conversation so far.
        tools: The tools on offer, as OpenAI describes functions.
    """
    offered = {tool["name"]: tool for tool in tools}
    outputs = _outputs(messages)
    if START_TOOL in offered:
        return _plan(offered[START_TOOL]["description"])
    if "read_commis_result" in offered:
        return _read(outputs)
    return _work(_task(messages), list(offered), outputs)


def _plan(description: str) -> Turn:
    calls = [
        Call(START_TOOL, {"name": found["name"], "task": found["task"]})
        for found in _PURPOSE.finditer(description)
    ]
    return Turn("I send every commis at once; none needs to wait for another.", tuple(calls))


def _read(outputs: dict[str, list[ToolMessage]]) -> Turn:
    found = [_REPORTED.match(message.text) for message in outputs.get(START_TOOL, ())]
    names = {match["job"]: match["name"] for match in found if match}
    if "read_commis_result" not in outputs:
        return Turn(calls=tuple(Call("read_commis_result", {"job_id": job}) for job in names))
    read = [JobRead.of(message.text) for message in outputs["read_commis_result"]]
    slowest = max(read, key=lambda job: job.taken_ms)
    if "get_commis_metrics" not in outputs:
        return Turn(calls=(Call("get_commis_metrics", {"job_id": slowest.job}),))
    return Turn(answers.of_concierge(read, names, slowest, outputs["get_commis_metrics"][0].text))


def _work(task: str, offered: list[str], outputs: dict[str, list[ToolMessage]]) -> Turn:
    missing = [name for name in offered if name not in outputs]
    if "disk_use_by_type" in missing:
        # These two do not need each other's findings, so they are asked for together.
        return Turn(calls=tuple(Call(name) for name in missing))
    if missing == ["hash_file"]:
        return Turn(calls=(Call("hash_file", {"file": _file_to_hash(task, outputs)}),))
    if missing:
        return Turn(calls=(Call(missing[0]),))
    return Turn(answers.of_commis({name: outputs[name][-1].text for name in offered}))


def _file_to_hash(task: str, outputs: dict[str, list[ToolMessage]]) -> str:
    named: list[str] = json.loads(outputs["unreadable_files"][-1].text)["named"]
    found = _PATH_IN_TASK.search(task)
    return named[0] if named else found["file"] if found else "missing"


def _task(messages: Sequence[BaseMessage]) -> str:
    return next((message.text for message in messages if isinstance(message, HumanMessage)), "")


def _outputs(messages: Sequence[BaseMessage]) -> dict[str, list[ToolMessage]]:
    """Arrange the answers of tools by tool, in the order in which they were asked."""
    names: dict[str, str] = {}
    for message in messages:
        if isinstance(message, AIMessage):
            names.update({call["id"] or "": call["name"] for call in message.tool_calls})
    found: dict[str, list[ToolMessage]] = {}
    order = list(names)
    answered = [message for message in messages if isinstance(message, ToolMessage)]
    for message in sorted(answered, key=lambda item: order.index(item.tool_call_id)):
        found.setdefault(names[message.tool_call_id], []).append(message)
    return found
