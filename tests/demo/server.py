"""A server that answers the real ChatOpenAI as the offline model would."""

from __future__ import annotations

import json

from langchain_core.messages import convert_to_messages

from tests.model_server import Exchange, Reply, answers, fails, streams
from zerg_visibility.demo.model import next_message


def by_the_script(exchange: Exchange) -> None:
    """Say what the demo's script says next."""
    said = next_message(convert_to_messages(exchange.asked["messages"]))
    offered = {tool["function"]["name"] for tool in exchange.asked.get("tools", ())}
    assert {call["name"] for call in said.tool_calls} <= offered
    calls = [
        {
            "index": number,
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["args"])},
        }
        for number, call in enumerate(said.tool_calls)
    ]
    if exchange.asked.get("stream"):
        reply = streams(*(f"{word} " for word in said.text.split(" ")), calls=calls)
    else:
        reply = answers({"content": said.text, **({"tool_calls": calls} if calls else {})})
    reply(exchange)


def refuses(status: int) -> Reply:
    """Answer with an error that repeats the key."""

    def reply(exchange: Exchange) -> None:
        fails(status, f"refused with {status}, key {exchange.headers['Authorization']}")(exchange)

    return reply
