import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from zerg_visibility.demo.model import next_message, offline_model

COMMIS = SystemMessage("You are a commis.\n\nYour tools: unreadable_files, hash_file")
CONCIERGE = SystemMessage("Your commis:\n- disk-use: Measure it.\n- access: Look for files.")


def asked(*names: str) -> AIMessage:
    calls = [{"name": name, "args": {}, "id": name} for name in names]
    return AIMessage("", tool_calls=calls)


def told(text: str, name: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=name)


def calls(message: AIMessage) -> list[tuple[str, dict]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


def test_a_commis_calls_its_tools_and_answers_with_what_they_said():
    messages = [COMMIS, HumanMessage("Look, then hash it.")]
    said = {"unreadable_files": "All 3 files can be read.", "hash_file": "A call failed: OSError."}
    for name, text in said.items():
        answer = next_message(messages)
        assert calls(answer) == [(name, {})]
        messages += [answer, told(text, name)]

    answer = next_message(messages)
    assert answer.text == "All 3 files can be read. A call failed: OSError."
    assert answer.tool_calls == []


def test_a_concierge_starts_every_commis_at_once():
    assert calls(next_message([CONCIERGE, HumanMessage("Go.")])) == [
        ("disk-use", {"task": "Measure it."}),
        ("access", {"task": "Look for files."}),
    ]


@pytest.mark.parametrize(
    ("time", "other"), [("98ms", "97ms"), ("1.2s", "999ms"), ("2m 15s", "134s"), ("1h 4m", "59m")]
)
def test_a_concierge_looks_closer_at_the_slowest_job(time, other):
    results = [
        told(f"Result from commis job {job} (commis x):\n\nExecution time: {time}\n\nTwo\nlines", n)
        for job, time, n in (("3", other, "disk-use"), ("4", time, "access"))
    ]
    messages = [CONCIERGE, HumanMessage("Go."), asked("disk-use", "access"), *results]

    answer = next_message(messages)
    assert calls(answer) == [("get_commis_metrics", {"job_id": "4"})]

    metrics = told("Job 4\nLLM: 0ms (0%)\nTools: 5ms (19%)\nSlowest: x", "get_commis_metrics")
    assert next_message([*messages, answer, metrics]).text == (
        f"Job 3 (disk-use)\nExecution time: {other}\nTwo\nlines\n\n"
        f"Job 4 (access)\nExecution time: {time}\nTwo\nlines\n\n"
        "The slowest was job 4 (access). LLM: 0ms (0%) Tools: 5ms (19%)"
    )


def test_what_a_concierge_cannot_take_apart_it_repeats():
    results = [told("It failed.", "1"), told("So did this.", "2")]
    messages = [CONCIERGE, HumanMessage("Go."), asked("disk-use", "access"), *results]

    assert next_message(messages).text == "It failed.\n\nSo did this."


def test_it_names_itself_and_counts_tokens():
    answer = offline_model().invoke([CONCIERGE, HumanMessage("x" * 4000)])

    assert answer.response_metadata["model_name"] == "offline-demo"
    usage = answer.usage_metadata
    assert usage is not None
    assert 1000 < usage["input_tokens"] < 1100
    assert usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
