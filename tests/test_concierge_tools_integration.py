"""Tier 1: the execution time stands in what the concierge's model reads."""

import re

import pytest
from langchain_core.tools import tool

from tests.scripted import after, answers_of, asks, calculator, commis_agent, concierge, run, says
from zerg_visibility import words


def test_read_commis_result_includes_duration(store, handler):
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        asks("read_commis_result", job_id="1"),
        says("It is 42."),
        store=store,
        commis=calculator(),
    )
    state = run(graph, "What is 7*6?", handler)

    commis_id = store.find(1)
    duration_ms = store.metadata(commis_id).duration_ms
    assert duration_ms > 0
    [answer] = answers_of(state, "read_commis_result")
    assert answer.content == (
        f"Result from commis job 1 (commis {commis_id}):\n\n"
        f"Execution time: {words.duration(duration_ms)}\n\n"
        "The result is 42."
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_calculate-7-6", commis_id)


def test_read_commis_result_answers_as_in_the_specification(store, clocked_handler, clock):
    for taken in range(1, 123):
        store.write_file(store.root / "jobs" / str(taken), b"")

    @tool
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        clock.advance(50)
        return a * b

    commis = commis_agent(
        after(clock, 40, asks("multiply", a=7, b=6)),
        after(clock, 8.9, says("The result is 42.")),
        tools=[multiply],
    )
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        asks("read_commis_result", job_id="123"),
        says("It is 42."),
        store=store,
        commis=commis,
    )
    state = run(graph, "What is 7*6?", clocked_handler)

    [answer] = answers_of(state, "read_commis_result")
    assert answer.content == (
        "Result from commis job 123 (commis 2025-12-15T04-08-08_calculate-7-6):\n"
        "\n"
        "Execution time: 98ms\n"
        "\n"
        "The result is 42."
    )


async def test_the_same_in_an_async_graph(store, handler):
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        asks("read_commis_result", job_id="1"),
        says("It is 42."),
        store=store,
        commis=calculator(),
    )
    inputs = {"messages": [("user", "What is 7*6?")]}
    state = await graph.ainvoke(inputs, {"callbacks": [handler]})

    [started] = answers_of(state, "research")
    [answer] = answers_of(state, "read_commis_result")
    assert started.content == answer.content
    assert "\n\nExecution time: " in answer.content
    assert answer.content.endswith("\n\nThe result is 42.")


def test_a_commis_that_fails_tells_the_concierge_its_time_and_error(store, clocked_handler, clock):
    commis = commis_agent(
        after(clock, 1200, asks("multiply", a=7, b=6)), after(clock, 300, ValueError("no answer"))
    )
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        asks("read_commis_result", job_id="1"),
        says("It failed."),
        store=store,
        commis=commis,
    )
    state = run(graph, "What is 7*6?", clocked_handler)

    [started] = answers_of(state, "research")
    [answer] = answers_of(state, "read_commis_result")
    head = (
        "Result from commis job 1 (commis 2025-12-15T04-08-08_calculate-7-6):\n\n"
        "Execution time: 1.5s\n\n"
        "It failed: ValueError: no answer\n\n"
        "Finished before that: 2 LLM calls (1 failed), 1 tool call."
    )
    assert (started.status, started.content) == ("error", head)
    assert (answer.status, answer.content) == (
        "success", f"{head} Last: gpt-5-mini, multiply, gpt-5-mini (failed).",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ms", "words"), [(0, "0ms"), (999, "999ms"), (1_234, "1.2s"), (135_000, "2m 15s"),
                      (3_840_000, "1h 4m")],
)  # fmt: skip
def test_durations_are_in_words(store, clocked_handler, clock, ms, words):
    graph = concierge(
        asks("research", task="Wait"),
        says("Done."),
        store=store,
        commis=commis_agent(after(clock, ms, says("Waited."))),
    )
    state = run(graph, "Wait, please.", clocked_handler)
    assert f"\n\nExecution time: {words}\n\nWaited." in answers_of(state, "research")[0].content
