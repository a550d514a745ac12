"""What a commis was asked and what it answered, as text, from states of any shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    convert_to_messages,
    message_to_dict,
)
from langgraph.types import Command

from zerg_visibility.records.codec import json_line
from zerg_visibility.redaction import Redact


def task_text(state: Any) -> str:
    """Say what a graph is asked to do, from its input.

    The last human message if there are messages, else the first text in the state, else all of it.
    """
    for message in reversed(_messages(state)):
        if isinstance(message, HumanMessage) and message.text.strip():
            return message.text
    if isinstance(state, str):
        return state
    for _, value in _items(state):
        if isinstance(value, str) and value.strip():
            return value
    return "" if state is None or isinstance(state, Command) else plain_json(state)


def result_text(state: Any, given: Any) -> str:
    """Say what a graph answered, from its output.

    The last message if it is the model's and says something; else what the graph changed: one text
    as it is, anything more as JSON.

    Args:
        state: The graph's output.
        given: Its input, to tell what changed; None if it was resumed.
    """
    messages = _messages(state)
    for message in reversed(messages):
        if isinstance(message, AIMessage) and message.text.strip():
            return message.text
        if isinstance(message, HumanMessage):
            break
    if isinstance(state, str):
        return state
    before = dict(_items(given))
    changed = {
        name: value
        for name, value in _items(state)
        if not _is_messages(value) and not _same(value, before.get(name, _NOTHING))
    }
    if not changed:
        return messages[-1].text if messages else ""
    values = list(changed.values())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return plain_json(changed)


def thread_text(state: Any, redact: Redact) -> str:
    """Give the messages of a state as JSON lines, redacted, in langchain-core's own format."""
    messages: Iterable[Any] = map(message_to_dict, _messages(state))
    if redact is not str:
        messages = (_redacted(message, redact) for message in messages)
    return b"".join(map(json_line, messages)).decode()


def plain_json(value: Any) -> str:
    """Write any value as JSON on one line."""
    if isinstance(value, BaseMessage):
        value = message_to_dict(value)
    elif hasattr(value, "model_dump"):
        value = value.model_dump()
    return json_line({"": value}).decode()[4:-2]


_NOTHING = object()


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # arrays and data frames have no plain truth value
        return one is other


def _redacted(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _redacted(item, redact) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, redact) for item in value]
    return value


def _items(state: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(state, Mapping):
        return [(str(name), value) for name, value in state.items()]
    fields = getattr(type(state), "model_fields", None) or getattr(
        state, "__dataclass_fields__", None
    )
    if fields:
        return [(str(name), getattr(state, name, None)) for name in fields]
    return []


def _messages(state: Any) -> list[BaseMessage]:
    if isinstance(state, BaseMessage):
        return [state]
    if _is_messages(state):
        return list(state)
    found = dict(_items(state)).get("messages")
    if isinstance(found, BaseMessage | str):
        found = [found]
    if isinstance(found, list) and _is_messages(found):
        return found
    if not isinstance(found, Sequence) or not found:
        return []
    # Inputs may hold ("user", "text") pairs and dicts, as LangChain takes them.
    return list(convert_to_messages(found))


def _is_messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, BaseMessage) for item in value)
    )
