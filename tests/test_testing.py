"""The doubles that ship with the package, and the guard that keeps tests off the network."""

import asyncio
import socket

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.errors import GraphInterrupt

from tests.scripted import USAGE, asks, calculator, commis_agent, run, says
from zerg_visibility import LLMCallRecord, Sink, create_commis_node
from zerg_visibility.clock import format_us
from zerg_visibility.testing import FailingSink, FakeClock, ScriptedChatModel


class TestScriptedChatModel:
    def test_it_gives_its_answers_in_turn_and_keeps_what_it_was_asked(self):
        model = ScriptedChatModel(script=["one", says("two"), lambda messages: messages[-1].text])
        assert [model.invoke(text).text for text in ("a", "b", "c")] == ["one", "two", "c"]
        assert [[m.text for m in asked] for asked in model.asked] == [["a"], ["b"], ["c"]]

    def test_one_call_too_many_is_an_error_unless_it_repeats(self):
        model = ScriptedChatModel(script=["one"])
        model.invoke("a")
        with pytest.raises(AssertionError, match="the script has 1 answers"):
            model.invoke("b")
        again = ScriptedChatModel(script=["one"], repeat=True)
        assert [again.invoke("a").text for _ in range(3)] == ["one"] * 3

    def test_it_raises_what_the_script_says(self):
        error = GraphInterrupt()
        model = ScriptedChatModel(script=[error, lambda _: ValueError("later")])
        with pytest.raises(GraphInterrupt) as caught:
            model.invoke("a")
        assert caught.value is error
        with pytest.raises(ValueError, match="later"):
            model.invoke("b")

    async def test_an_answer_may_be_waited_for(self):
        async def answer(messages):
            await asyncio.sleep(0)
            return f"to {messages[0].text}"

        model = ScriptedChatModel(script=[answer, answer])
        assert (await model.ainvoke("a")).text == "to a"
        assert "".join([chunk.text async for chunk in model.astream("b")]) == "to b"

    def test_streamed_it_is_the_same_message_in_pieces(self):
        answer = AIMessage(
            "The result  is\n42.",
            tool_calls=[{"name": "add", "args": {"a": 1}, "id": "x"}],
            usage_metadata=USAGE,
        )
        model = ScriptedChatModel(script=[answer], repeat=True)
        whole = model.invoke("a")
        chunks = list(model.stream("a"))
        assert len(chunks) > 4
        joined = sum(chunks[1:], chunks[0])
        assert (joined.text, joined.tool_calls, joined.usage_metadata) == (
            whole.text, whole.tool_calls, whole.usage_metadata,
        )  # fmt: skip
        assert joined.response_metadata["model_name"] == "gpt-5-mini"

    def test_a_streaming_run_is_recorded_with_its_first_token(self, handler, memory_sink):
        graph = commis_agent(asks("multiply", a=7, b=6), says("The result is 42."))
        inputs = {"messages": [HumanMessage("Calculate 7*6")]}
        list(graph.stream(inputs, {"callbacks": [handler]}, stream_mode="messages"))
        calls = [r for r in memory_sink.records if isinstance(r, LLMCallRecord)]
        assert [call.total_tokens for call in calls] == [1323, 1323]
        assert all(0 <= call.ttft_ms <= call.duration_ms for call in calls)


def test_both_fake_clocks_move_together_unless_the_wall_clock_is_set():
    clock = FakeClock("2025-12-15T12:00:00")
    started = clock.monotonic_ns()
    clock.advance(1.5)
    assert format_us(clock.wall_us()) == "2025-12-15T12:00:00.001500Z"
    assert clock.monotonic_ns() - started == 1_500_000
    clock.step_wall(-60_000)
    assert format_us(clock.wall_us()) == "2025-12-15T11:59:00.001500Z"
    assert clock.monotonic_ns() - started == 1_500_000


def test_a_failing_sink_is_a_sink_that_fails():
    sink = FailingSink(OSError("full"))
    assert isinstance(sink, Sink)
    for call in (lambda: sink.emit(None), lambda: sink.flush(1), sink.close):
        with pytest.raises(OSError, match="full"):
            call()
    assert sink.calls == 3


def test_a_clock_that_steps_back_changes_no_duration(store, clocked_handler, clock):
    def answer(_):
        clock.advance(500)
        clock.step_wall(-3_600_000)
        return says("Done.")

    run(create_commis_node(commis_agent(answer), store=store), "Wait", clocked_handler)
    metadata = store.metadata(store.find(1))
    assert (metadata.duration_ms, metadata.wall_ms) == (500, 500)
    assert metadata.totals.llm_ms == 500


def test_the_tests_cannot_reach_another_machine():
    with (
        socket.socket() as sock,
        pytest.raises(RuntimeError, match=r"a test tried to reach 192\.0\.2\.1"),
    ):
        sock.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_the_calculator_of_the_tests_calculates():
    assert run(calculator(), "Calculate 7*6")["messages"][-1].text == "The result is 42."
