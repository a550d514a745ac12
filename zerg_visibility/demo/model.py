"""The models of the demo: a real one, or fixed rules over messages, which need no network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from zerg_visibility.errors import ConfigurationError, MissingExtraError, VisibilityError
from zerg_visibility.secret_formats import redact_secrets
from zerg_visibility.testing import ScriptedChatModel
from zerg_visibility.words import one_line

OFFLINE_MODEL = "offline-demo"
"""What it calls itself in records."""

_COMMIS = re.compile(r"^- (?P<name>[\w-]+): (?P<task>.+)$", re.MULTILINE)
_TOOLS = re.compile(r"^Your tools: (.+)$", re.MULTILINE)
_RESULT = re.compile(
    r"Result from commis job (?P<job>\S+) .*\n\nExecution time: (?P<time>.+)\n\n(?P<text>[\s\S]*)"
)
_Calls: TypeAlias = list[tuple[str, dict[str, Any]]]
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def open_model(spec: str) -> BaseChatModel:
    """Give the model that a user asked for as `openai:NAME`.

    Raises:
        ConfigurationError: There is no key, or langchain-openai is not installed.
    """
    try:
        from langchain_openai import ChatOpenAI
    except ImportError as error:
        raise MissingExtraError("a model of OpenAI or a compatible server", "openai") from error
    if not os.environ.get("OPENAI_API_KEY"):
        raise ConfigurationError(
            "OPENAI_API_KEY is not set; for a server of your own, named by OPENAI_BASE_URL, "
            "any text will do"
        )
    # Streamed, so that the records say when the first token came; usage then has to be asked for.
    name = spec.partition(":")[2]
    return ChatOpenAI(model=name, streaming=True, stream_usage=True, timeout=120.0)


def model_failed(spec: str, error: Exception) -> VisibilityError | None:
    """Put an error of the provider, who refused or could not be reached, into one sentence."""
    if "openai" not in {kind.__module__.partition(".")[0] for kind in type(error).__mro__}:
        return None
    server = one_line(redact_secrets(os.environ.get("OPENAI_BASE_URL", "")), 200)
    return VisibilityError(
        f"the model {one_line(spec, 80)}{f' at {server}' if server else ''} failed: "
        f"{type(error).__name__}: {one_line(redact_secrets(str(error)), 400)}"
    )


def offline_model() -> BaseChatModel:
    """Make the model that steers a demo by rules; the same messages give the same answer."""
    return ScriptedChatModel(script=[next_message], repeat=True, model_name=OFFLINE_MODEL)


def next_message(messages: Sequence[BaseMessage]) -> AIMessage:
    """Decide what to say, as a provider's model does: calls of tools or an answer, with usage."""
    prompt = messages[0].text
    answers = [message.text for message in messages if isinstance(message, ToolMessage)]
    said: str | _Calls
    if tools := _TOOLS.search(prompt):  # a commis, which calls one after another
        left = tools[1].split(", ")[len(answers) :]
        said = [(left[0], {})] if left else " ".join(filter(None, answers))
    else:
        said = _concierge(_COMMIS.findall(prompt), answers)
    text, calls = (said, []) if isinstance(said, str) else ("", said)
    asked = [message.tool_calls for message in messages if isinstance(message, AIMessage)]
    given = sum(len(message.text) for message in messages) + len(json.dumps(asked))
    # Four characters a token, the usual rule of thumb; this model has no tokenizer.
    tokens_in, tokens_out = 1 + given // 4, 1 + len(text + json.dumps(calls)) // 4
    return AIMessage(
        text,
        tool_calls=[
            {"name": name, "args": args, "id": f"call_{len(messages)}_{number}"}
            for number, (name, args) in enumerate(calls)
        ],
        usage_metadata={
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    )


def _concierge(team: list[tuple[str, str]], answers: Sequence[str]) -> str | _Calls:
    if not answers:
        return [(name, {"task": task}) for name, task in team]
    read = [(name, _RESULT.match(said)) for (name, _), said in zip(team, answers, strict=False)]
    name, slowest = max(read, key=lambda one: _ms(one[1]["time"]) if one[1] else -1.0)
    if slowest and len(answers) == len(team):
        return [("get_commis_metrics", {"job_id": slowest["job"]})]
    parts = [
        f"Job {one['job']} ({name})\nExecution time: {one['time']}\n{one['text']}" if one else said
        for (name, one), said in zip(read, answers, strict=False)
    ]
    if slowest:
        shares = re.findall(r"^(?:LLM|Tools|Other).*$", answers[-1], re.MULTILINE)
        parts.append(f"The slowest was job {slowest['job']} ({name}). {' '.join(shares)}".rstrip())
    return "\n\n".join(parts)


def _ms(time: str) -> float:
    """Give an execution time in milliseconds; 0 if it is unknown."""
    parts = re.findall(r"([\d.]+)(ms|s|m|h)\b", time)
    return sum(float(number) * _UNITS_MS[unit] for number, unit in parts)
