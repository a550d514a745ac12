"""How often a call was made before: what makes a call the second try of another one."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from zerg_visibility.forksafe import ForkSafe

MAX_REMEMBERED = 4096
"""Tool calls, and nodes with failed model calls, that are remembered; older ones begin at 1."""

MAX_QUESTIONS = 64
"""Failed model calls of one node that are told apart; the oldest is forgotten."""


class CallHistory(ForkSafe):
    """Counts the tries of a commis's calls, or of a concierge's own."""

    def __init__(self) -> None:
        super().__init__()
        self._tools: OrderedDict[str, int] = OrderedDict()
        self._questions: OrderedDict[str, OrderedDict[int, int]] = OrderedDict()

    def of_tool(self, tool_call_id: str) -> int:
        """Say how often a tool call has been made before, whatever came of it."""
        return self._tools.get(tool_call_id, 0)

    def note_tool(self, tool_call_id: str) -> None:
        """Count one more time that a tool call was made; the caller sees to threads."""
        self._tools[tool_call_id] = self._tools.pop(tool_call_id, 0) + 1
        if len(self._tools) > MAX_REMEMBERED:
            self._tools.popitem(last=False)

    def of_model(self, node: str, asked: Any) -> int:
        """Say how often a node, by its checkpoint namespace, has asked the same before and failed.

        It may ask something else in between, as for a summary that is to make the next try shorter.
        """
        questions = self._questions.get(node)
        return 0 if questions is None else questions.get(_fingerprint(asked), 0)

    def note_model(self, node: str, asked: Any, *, success: bool) -> None:
        """Note how a model call ended; after a success the same question is a first one again."""
        if success and node not in self._questions:
            return  # nearly always
        question = _fingerprint(asked)
        with self._lock:
            questions = self._questions.setdefault(node, OrderedDict())
            tries = questions.pop(question, 0)
            if not success:
                questions[question] = tries + 1
            if len(questions) > MAX_QUESTIONS:
                questions.popitem(last=False)
            if not questions:
                del self._questions[node]
            elif len(self._questions) > MAX_REMEMBERED:
                self._questions.popitem(last=False)


def _fingerprint(asked: Any) -> int:
    """Make a number of messages or prompts that is the same whenever they are."""
    try:
        items = [item for group in asked for item in group]
        return hash(repr([(type(one).__name__, getattr(one, "content", one)) for one in items]))
    except Exception:  # a foreign object that raises; then all that the node asks is the same
        return 0
