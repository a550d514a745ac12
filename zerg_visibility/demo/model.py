"""OfflineModel: a chat model that answers by fixed rules, so that the demo needs no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from zerg_visibility.demo.script import Turn, next_turn

OFFLINE_MODEL = "offline-demo"
"""What it calls itself in records."""

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English; this model has no tokenizer."""


class OfflineModel(BaseChatModel):
    """Decides by rules, from the tools that it is offered and the messages that it sees.

    It behaves as a provider's model does: it calls tools, reads their outputs, counts tokens and
    names itself. The same messages always give the same answer.
    """

    model_name: str = OFFLINE_MODEL

    @property
    def _llm_type(self) -> str:
        return OFFLINE_MODEL

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,  # noqa: ARG002 - the rules choose
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer it tools."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        tools = [tool["function"] for tool in kwargs.get("tools", ())]
        turn = next_turn(messages, tools)
        message = AIMessage(
            turn.text,
            tool_calls=[
                ToolCall(name=call.tool, args=call.args, id=f"call_{len(messages)}_{number}")
                for number, call in enumerate(turn.calls)
            ],
            usage_metadata=_usage(messages, tools, turn),
            response_metadata={"model_name": self.model_name},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def _usage(messages: list[BaseMessage], tools: list[dict[str, Any]], turn: Turn) -> UsageMetadata:
    given = len(json.dumps(tools)) if tools else 0
    for message in messages:
        asked = message.tool_calls if isinstance(message, AIMessage) else []
        given += len(message.text) + sum(len(json.dumps(call["args"])) for call in asked)
    said = len(turn.text) + sum(len(call.tool) + len(json.dumps(call.args)) for call in turn.calls)
    prompt, completion = (max(1, size // CHARACTERS_PER_TOKEN) for size in (given, said))
    return UsageMetadata(
        input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion
    )
