import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from zerg_visibility.demo.answers import JobRead
from zerg_visibility.demo.model import OfflineModel


@tool
def line_counts() -> str:
    """Count lines."""
    return "unused"


FINDINGS = (
    '{"text_files": 2, "binary_files": 1, "lines": 30, "by_type": [{"type": ".py", "lines": 30}],'
    ' "longest": {"file": "a.py", "lines": 20}}'
)


def test_it_calls_the_tool_that_it_is_offered():
    answer = OfflineModel().bind_tools([line_counts]).invoke("Count lines")

    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("line_counts", {})]


def test_it_answers_with_what_the_tool_found():
    asked = AIMessage("", tool_calls=[{"name": "line_counts", "args": {}, "id": "1"}])
    messages = [HumanMessage("Count lines"), asked, ToolMessage(FINDINGS, tool_call_id="1")]

    answer = OfflineModel().bind_tools([line_counts]).invoke(messages)

    assert answer.text == (
        "2 text files hold 30 lines: .py 30. Longest: a.py (20). Binary: 1 file."
    )
    assert answer.tool_calls == []


def test_it_says_what_failed():
    asked = AIMessage("", tool_calls=[{"name": "line_counts", "args": {}, "id": "1"}])
    error = ToolMessage("Error: OSError('no disk')\n Please fix.", tool_call_id="1", status="error")

    answer = OfflineModel().bind_tools([line_counts]).invoke([HumanMessage("x"), asked, error])

    assert answer.text == "line_counts failed: OSError('no disk')."


def test_it_names_itself_and_counts_tokens():
    answer = OfflineModel().bind_tools([line_counts]).invoke("x" * 4000)

    assert answer.response_metadata["model_name"] == "offline-demo"
    usage = answer.usage_metadata
    assert usage is not None
    assert 1000 < usage["input_tokens"] < 1100
    assert usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_same_messages_give_the_same_answer():
    model = OfflineModel().bind_tools([line_counts])

    first, second = (model.invoke("Count lines") for _ in range(2))

    assert first.tool_calls == second.tool_calls


@pytest.mark.parametrize(
    ("time", "taken_ms"),
    [("98ms", 98), ("1.2s", 1200), ("2m 15s", 135_000), ("1h 4m", 3_840_000), ("unknown", 0)],
)
def test_execution_times_are_understood(time, taken_ms):
    said = (
        f"Result from commis job 3 (commis 2025-12-15T04-08-08_x):\n\n"
        f"Execution time: {time}\n\nTwo\nlines"
    )

    job = JobRead.of(said)

    assert (job.job, job.time, job.text) == ("3", time, "Two\nlines")
    assert job.taken_ms == pytest.approx(taken_ms)
