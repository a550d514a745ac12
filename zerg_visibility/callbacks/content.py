"""Whether a streamed chunk holds anything that a model said: text, a tool call, or reasoning."""

from __future__ import annotations

from typing import Any

_SAID_BESIDE = ("reasoning_content", "reasoning", "function_call", "tool_calls", "refusal")
"""Where integrations put what is neither text nor a typed tool call, among `additional_kwargs`."""

_LABELS = frozenset({"type", "id", "index"})
"""What a content block holds before there is anything in it."""


def has_content(token: Any, message: Any) -> bool:
    """Say whether a chunk holds content, rather than only a role, usage or nothing.

    The token is what LangChain passes as such: a text, or a list of content blocks.
    """
    if _has_block(token) or _has_block(getattr(message, "content", None)):
        return True
    if getattr(message, "tool_call_chunks", None):
        return True
    beside = getattr(message, "additional_kwargs", None)
    return isinstance(beside, dict) and any(beside.get(name) for name in _SAID_BESIDE)


def _has_block(content: Any) -> bool:
    if not isinstance(content, list):
        return bool(content) and isinstance(content, str)
    return any(
        any(value for name, value in block.items() if name not in _LABELS)
        if isinstance(block, dict)
        else bool(block)
        for block in content
    )
