"""Which chunk of a stream is the first with something in it."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessageChunk

from zerg_visibility.callbacks.content import has_content

CALL = {"name": "ping", "args": "", "id": "1", "index": 0, "type": "tool_call_chunk"}


def chunk(content="", **more):
    return AIMessageChunk(content=content, **more)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("The", None),
        (" ", chunk(" ")),
        ("", chunk([{"type": "thinking", "thinking": "Well", "index": 0}])),
        ("", chunk([{"type": "function_call", "name": "ping", "arguments": "", "index": 0}])),
        ([{"type": "text", "text": "The", "index": 0}], None),
        ("", chunk(tool_call_chunks=[CALL])),
        ("", chunk(additional_kwargs={"reasoning_content": "Well"})),
    ],
)
def test_text_a_tool_call_and_reasoning_are_content(token, message):
    assert has_content(token, message)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", None),
        ("", chunk()),
        ("", chunk([])),
        ("", chunk([{"type": "text", "text": "", "index": 0}])),
        ("", chunk([{"type": "reasoning", "id": "rs_1", "summary": [], "index": 0}])),
        ("", chunk(additional_kwargs={"reasoning_content": "", "request_id": "r1"})),
        ("", chunk(response_metadata={"model_name": "m"}, usage_metadata=None)),
        (None, object()),
    ],
)
def test_a_role_an_empty_text_and_metadata_are_not(token, message):
    assert not has_content(token, message)
