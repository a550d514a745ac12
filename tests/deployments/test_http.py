"""Calls of a real client over HTTP: what it got, what it did not get, and what must not be told."""

from __future__ import annotations

import asyncio
import errno
import functools
import operator
import re
import socket
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

from tests.model_server import (
    SERVED,
    USAGE,
    Exchange,
    answers,
    chunk,
    fails,
    never,
    serving,
    streams,
)
from tests.scenarios.expect import commis, llm
from tests.scenarios.found import by_job, found
from tests.scenarios.parts import agent, outer
from zerg_visibility import configure_logging, create_commis_node, redact_secrets

KEY = "sk-proj-mustnotbetold0123456789abcdefghijklmnop"
HEADER = "header-must-not-be-told"
ASK = {"messages": [HumanMessage("Calculate 7*6")]}
TOKENS = {
    "prompt_tokens": 12,
    "completion_tokens": 7,
    "total_tokens": 19,
    "cached_tokens": 8,
    "reasoning_tokens": 3,
}
NO_TOKENS = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"))


def model(url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-5-mini",
        base_url=url,
        api_key=KEY,
        max_retries=0,
        use_responses_api=False,
        **{"default_headers": {"X-Secret": HEADER}, **options},
    )


def answered(**changes: Any) -> Any:
    """A commis whose one call was answered."""
    fields = {
        **TOKENS,
        "model": SERVED,
        "requested_model": "gpt-5-mini",
        "finish_reason": "stop",
        **changes,
    }
    return commis("research", "success", llm(**fields))


def failed(error: BaseException, said: str, **changes: Any) -> Any:
    """A commis whose one call failed."""
    text = f"{type(error).__name__}: {said}" if said.strip() else type(error).__name__
    fields = {**NO_TOKENS, "model": "gpt-5-mini", "requested_model": "gpt-5-mini", **changes}
    return commis("research", "failed", llm(success=False, error=text, **fields), error=text)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request):
    return request.param


@pytest.fixture
def ask(store, handler, is_async, tmp_path):
    """Asks a model in a commis. At the end nothing that was stored or logged tells a secret."""
    configure_logging(tmp_path / "logs" / "backend.log")

    def run(chat: Any, redact: Any = None, **options: Any) -> Any:
        graph = outer(create_commis_node(agent(chat), store=store, redact=redact))
        config = {"callbacks": [handler]}
        if options:
            return (
                asyncio.run(_consume(graph, config, options))
                if is_async
                else list(graph.stream(ASK, config, **options))
            )
        return asyncio.run(graph.ainvoke(ASK, config)) if is_async else graph.invoke(ASK, config)

    yield run
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(stored) > 3
    for secret in (KEY, HEADER, "header-of-the-answer", "X-Secret", "Authorization", "Bearer"):
        assert not [data for data in stored if secret.lower().encode() in data.lower()]


async def _consume(graph: Any, config: Any, options: Any) -> list[Any]:
    return [chunk async for chunk in graph.astream(ASK, config, **options)]


def totals(store) -> tuple[int | None, int]:
    one = by_job(store)[0].totals
    return one.total_tokens, one.calls_without_usage


# -- what came ----------------------------------------------------------------------------------


def test_an_answer_in_one_piece(ask, store):
    with serving(answers("42")) as server:
        ask(model(server.url))
    assert found(store) == [answered()]
    assert totals(store) == (19, 0)


def test_two_candidates_count_their_tokens_once(ask, store):
    with serving(answers("42", "43")) as server:
        ask(model(server.url, n=2))
    assert server.asked[0]["n"] == 2
    assert found(store) == [answered()]
    assert totals(store) == (19, 0)


def test_an_answer_that_counts_no_tokens(ask, store):
    with serving(answers("42", usage=None)) as server:
        ask(model(server.url))
    none = dict.fromkeys(TOKENS)
    assert found(store) == [answered(**none)]
    assert totals(store) == (0, 1)


def test_a_stream_that_counts_tokens(ask, store):
    with serving(streams("The ", "answer")) as server:
        ask(model(server.url, streaming=True, stream_usage=True))
    assert server.asked[0]["stream_options"] == {"include_usage": True}
    assert found(store) == [answered(ttft=True)]
    assert totals(store) == (19, 0)


def test_a_stream_without_include_usage_counts_no_tokens(ask, store):
    with serving(streams("The ", "answer")) as server:
        ask(model(server.url), stream_mode="messages", subgraphs=True)
    assert server.asked[0]["stream"] is True
    assert "stream_options" not in server.asked[0]
    none = dict.fromkeys(TOKENS)
    assert found(store) == [answered(ttft=True, **none)]
    assert totals(store) == (0, 1)


def test_the_time_to_the_first_token_is_within_the_call(ask, store):
    with serving(streams("The ", "answer")) as server:
        ask(model(server.url, streaming=True))
    (record,) = store.records(by_job(store)[0].commis_id).items
    assert 0 <= record.ttft_ms <= (record.end_us - record.start_us) / 1000


def delta(**content: Any) -> str:
    return chunk([{"index": 0, "delta": content, "finish_reason": None}])


def events(*sent: str) -> Any:
    """Answer with a stream of just these events."""

    def reply(exchange: Exchange) -> None:
        exchange.begin_stream()
        for event in sent:
            exchange.event(event)
        exchange.end_stream()

    return reply


STOP = chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
STOP_AND_USAGE = chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=USAGE)
ASKED = {"index": 0, "id": "1", "type": "function", "function": {"name": "ping", "arguments": ""}}


@pytest.mark.parametrize(
    "content", [delta(content="The "), delta(tool_calls=[ASKED])], ids=["text", "tool call"]
)
def test_the_first_token_is_the_first_content(content, clocked_handler, clock, memory_sink):
    """Not a chunk without choices, as Azure sends first, one with a role, or an empty text."""
    reply = events(chunk([]), delta(role="assistant"), delta(content=""), content, STOP)
    with serving(reply) as server:
        chat = model(server.url, stream_usage=False)
        for _ in chat.stream("Ask", {"callbacks": [clocked_handler]}):
            clock.advance(1000)
    (record,) = memory_sink.records
    assert record.ttft_ms == 3000


def test_a_stream_of_nothing_has_no_first_token(ask, store):
    with serving(events(delta(role="assistant"), STOP_AND_USAGE)) as server:
        ask(model(server.url, streaming=True, stream_usage=True))
    assert found(store) == [answered()]


@pytest.mark.parametrize(
    "sent",
    [
        (delta(content="42"), STOP_AND_USAGE, chunk([], usage=USAGE)),
        (delta(content="42"), STOP, STOP_AND_USAGE),
        (delta(content="42"), STOP, chunk([], usage=USAGE), chunk([], usage=USAGE)),
        (
            chunk([], usage={**USAGE, "completion_tokens": 0, "total_tokens": 12}),
            chunk([{"index": 0, "delta": {"content": "42"}}], usage={**USAGE, "total_tokens": 13}),
            STOP_AND_USAGE,
        ),
        (chunk([]), delta(content="42"), chunk([]), chunk([], usage=None), STOP_AND_USAGE),
    ],
    ids=["with the end and after it", "two ends", "twice after it", "with each", "no choices"],
)
def test_usage_that_a_server_repeats_counts_once(sent, ask, store, handler):
    with serving(events(*sent)) as server:
        ask(model(server.url, streaming=True, stream_usage=True))
    assert found(store) == [answered(ttft=True)]
    assert totals(store) == (19, 0)
    assert handler.stats.failures == 0


def test_an_answer_that_was_cut_off_says_so(ask, store):
    end = chunk([{"index": 0, "delta": {}, "finish_reason": "length"}], usage=USAGE)
    with serving(events(delta(content="The "), end)) as server:
        ask(model(server.url, streaming=True, stream_usage=True))
    assert found(store) == [answered(ttft=True, finish_reason="length")]


def test_a_stream_that_a_server_ends_early_has_no_reason_to_end(ask, store):
    with serving(events(delta(content="The "))) as server:
        ask(model(server.url, streaming=True, stream_usage=True))
    (one,) = found(store)
    assert "finish_reason" not in one.records[0]
    assert one.status == "success"


# -- what did not come --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (401, openai.AuthenticationError),
        (400, openai.BadRequestError),
    ],
)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_an_error_status(status, error, streaming, ask, store):
    with serving(fails(status, "no luck today")) as server, pytest.raises(error) as raised:
        ask(model(server.url, streaming=streaming))
    said = f"Error code: {status} - no luck today"
    if "{" in str(raised.value):  # so said older versions of openai
        said = str(raised.value)
    assert found(store) == [failed(raised.value, said)]
    # A call that failed has no usage to be missed.
    assert totals(store) == (0, 0)


def test_a_refused_connection(ask, store):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(openai.APIConnectionError) as raised:
            ask(model(url))
    said = f"Connection error. [Errno {errno.ECONNREFUSED}] Connection refused"
    assert found(store) == [failed(raised.value, said)]


def test_a_connection_that_is_reset(ask, store):
    with serving(Exchange.hang_up) as server, pytest.raises(openai.APIConnectionError) as raised:
        ask(model(server.url))
    said = f"Connection error. [Errno {errno.ECONNRESET}] Connection reset by peer"
    assert found(store) == [failed(raised.value, said)]


def test_a_server_that_leaves_without_an_answer(ask, store):
    def leave(exchange: Exchange) -> None:
        exchange.close_connection = True

    with serving(leave) as server, pytest.raises(openai.APIConnectionError) as raised:
        ask(model(server.url))
    said = "Connection error. (RemoteProtocolError)"
    assert found(store) == [failed(raised.value, said)]


def test_a_host_that_nobody_knows(ask, store):
    with pytest.raises(openai.APIConnectionError) as raised:
        ask(model("http://no-such-host.invalid/v1"))
    (one,) = found(store)
    # What the resolver says differs from system to system.
    assert re.fullmatch(
        rf"{type(raised.value).__name__}: Connection error\. \[Errno -\d+\] .+", one.error
    )


def test_a_key_that_no_header_may_hold_is_not_told(ask, store):
    """The client refuses it with a text that repeats it, as the cause of a harmless error."""
    with serving(answers("42")) as server, pytest.raises(openai.APIConnectionError) as raised:
        ask(model(server.url, default_headers={"X-Secret": f"{HEADER}\n"}))
    said = "Connection error. (LocalProtocolError)"
    assert found(store) == [failed(raised.value, said)]


def test_a_server_that_does_not_answer_in_time(ask, store):
    with serving(never) as server, pytest.raises(openai.APITimeoutError) as raised:
        ask(model(server.url, timeout=0.2))
    assert found(store) == [failed(raised.value, "Request timed out. (ReadTimeout)")]
    (record,) = store.records(by_job(store)[0].commis_id).items
    assert record.end_us - record.start_us >= 200_000


def broken_off(exchange: Exchange) -> None:
    exchange.hang_up()


def broken_off_after_usage(exchange: Exchange) -> None:
    exchange.event(chunk([], usage=USAGE))
    exchange.hang_up()


def stalled(exchange: Exchange) -> None:
    never(exchange)


def told_of_an_error(exchange: Exchange) -> None:
    exchange.event('{"error": {"message": "overloaded", "type": "server_error"}}')
    exchange.end_stream()


class Streaming(RunnableLambda):
    """A model whose stream is read by the node itself, rather than inside of `invoke`."""

    def __init__(self, chat: Any) -> None:
        def read(messages: Any) -> Any:
            return functools.reduce(operator.add, chat.stream(messages))

        async def aread(messages: Any) -> Any:
            chunks = [chunk async for chunk in chat.astream(messages)]
            return functools.reduce(operator.add, chunks)

        super().__init__(read, aread)


@pytest.mark.parametrize("read_by", [lambda chat: chat, Streaming], ids=["invoke", "stream"])
@pytest.mark.parametrize(
    ("then", "tokens", "cause"),
    [
        (broken_off, {}, f" [Errno {errno.ECONNRESET}] Connection reset by peer"),
        (broken_off_after_usage, TOKENS, f" [Errno {errno.ECONNRESET}] Connection reset by peer"),
        (stalled, {}, " (ReadTimeout)"),
        (told_of_an_error, {}, ""),
    ],
)
def test_a_stream_that_does_not_end(read_by, then, tokens, cause, ask, store):
    """The tokens that had arrived are told; which model served, OpenAI's client says at the end."""
    reply = streams("The ", "answer", then=then)
    with serving(reply) as server, pytest.raises(Exception) as raised:  # noqa: PT011
        ask(read_by(model(server.url, streaming=True, stream_usage=True, timeout=0.5)))
    told = str(raised.value)
    # Older versions of openai let httpx's own error through, which needs no cause.
    if cause.strip() in told or cause == f" ({type(raised.value).__name__})":
        cause = ""
    said = f"{told}{cause}".strip()
    assert found(store) == [failed(raised.value, said, ttft=True, **tokens)]
    assert totals(store) == (19 if tokens else 0, 0)


def test_an_answer_that_is_no_json(ask, store):
    def nonsense(exchange: Exchange) -> None:
        exchange.send_text("<nonsense")

    with serving(nonsense) as server, pytest.raises(Exception) as raised:  # noqa: PT011
        ask(model(server.url))
    assert found(store) == [failed(raised.value, str(raised.value))]


def test_an_error_that_repeats_the_key_is_redacted_on_request(ask, store):
    reply = fails(401, f"Incorrect API key provided: {KEY}.")
    with serving(reply) as server, pytest.raises(openai.AuthenticationError):
        ask(model(server.url), redact=redact_secrets)
    (one,) = found(store)
    assert one.error.startswith("OpenAIAuthenticationError: Error code: 401") or (
        one.error.startswith("AuthenticationError: Error code: 401")
    )
