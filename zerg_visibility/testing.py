"""For tests of code that is watched: a scripted model, a clock that is set by hand, a broken sink.

They have no part in watching itself; only the demo steers its graph by them.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NoReturn

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.outputs import ChatGenerationChunk as _Chunk
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from zerg_visibility.clock import Clock, parse_us

_WORDS = re.compile(r"\s*\S+|\s+")


class FakeClock(Clock):
    """Both clocks, moved by hand, so that durations in a test are exact.

    Args:
        now: What the wall clock shows at first, as ISO 8601; without an offset it is UTC.
    """

    _move: Callable[[float, float], None]

    def __init__(self, now: str = "2025-12-15T04:08:08.123456Z") -> None:
        times, lock = [1000 * parse_us(now), 1_000_000_000], threading.Lock()

        def move(wall_ms: float, monotonic_ms: float) -> None:
            with lock:
                times[:] = times[0] + round(wall_ms * 1e6), times[1] + round(monotonic_ms * 1e6)

        super().__init__(wall_ns=lambda: times[0], monotonic_ns=lambda: times[1])
        object.__setattr__(self, "_move", move)  # set so because Clock is frozen

    def advance(self, ms: float) -> None:
        """Let time pass on both clocks."""
        self._move(ms, ms)

    def step_wall(self, ms: float) -> None:
        """Set the wall clock forward or back, as time synchronisation does; no time passes."""
        self._move(ms, 0)


class FailingSink:
    """A sink of which every method raises.

    Args:
        error: What it raises.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or RuntimeError("this sink always fails")
        self.calls = 0

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        self.calls += 1
        raise self.error

    emit = flush = close = _fail


class ScriptedChatModel(BaseChatModel):
    """A chat model that gives prepared answers, one a call, and keeps what it was asked.

    An answer is a text, an AIMessage, an exception to be raised, or a function of the messages
    that gives one of these (an async function under `ainvoke` and `astream`). It can be called from
    several threads; who gets which answer is then up to them. It streams where it is asked to, one
    word a chunk.

    Args:
        script: The answers, in order.
        repeat: Begin again at the end; else one call too many raises AssertionError.
        model_name: What it says its name is; None says nothing.
    """

    script: Sequence[Any]
    repeat: bool = False
    model_name: str | None = "gpt-5-mini"
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def asked(self) -> list[list[BaseMessage]]:
        """The messages of every call so far."""
        return list(self._asked)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Take note of tools as a real model does; the answers stay what they are."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._result(self._message(self._take(messages)))

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._result(await self._awaited(messages))

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[_Chunk]:
        yield from self._chunks(self._message(self._take(messages)))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[_Chunk]:
        for chunk in self._chunks(await self._awaited(messages)):
            yield chunk

    def _take(self, messages: list[BaseMessage]) -> Any:
        with self._lock:
            number = len(self._asked)
            self._asked.append(list(messages))
        if number >= len(self.script) and not self.repeat:
            raise AssertionError(f"the script has {len(self.script)} answers, and this is one more")
        answer = self.script[number % len(self.script)]
        return answer(messages) if callable(answer) else answer

    async def _awaited(self, messages: list[BaseMessage]) -> AIMessage:
        answer = self._take(messages)
        return self._message(await answer if inspect.isawaitable(answer) else answer)

    def _message(self, answer: Any) -> AIMessage:
        if isinstance(answer, BaseException):
            raise answer
        message = AIMessage(answer) if isinstance(answer, str) else answer
        if not isinstance(message, AIMessage):
            raise TypeError(f"an answer cannot be a {type(message).__name__}")
        known = {} if self.model_name is None else {"model_name": self.model_name}
        # A copy: the same answer may be given again, and each message gets an id of its own.
        return message.model_copy(
            update={"response_metadata": {**known, **message.response_metadata}}
        )

    @staticmethod
    def _result(message: AIMessage) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=message)])

    @staticmethod
    def _chunks(message: AIMessage) -> Iterator[_Chunk]:
        content = message.content
        for text in _WORDS.findall(content) if isinstance(content, str) else ():
            yield _Chunk(message=AIMessageChunk(content=text))
        last = AIMessageChunk(
            content="" if isinstance(content, str) else content,
            tool_calls=message.tool_calls,
            usage_metadata=message.usage_metadata,
            response_metadata=message.response_metadata,
        )
        yield _Chunk(message=last)
