from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import threading
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import ValidationError

from tests.processes import REPOSITORY
from tests.tools.conftest import Desk
from zerg_visibility import CONCIERGE_PROMPT, ConciergeToolkit, ConfigurationError
from zerg_visibility.settings import ENV_ROOT

NAMES = [
    "read_commis_result",
    "read_commis_file",
    "list_commis",
    "grep_commis",
    "get_commis_metadata",
    "get_commis_metrics",
]


def test_it_gives_six_tools():
    assert [tool.name for tool in ConciergeToolkit().get_tools()] == NAMES


def test_the_model_sees_the_documented_arguments():
    seen = {tool.name: list(tool.args) for tool in ConciergeToolkit().get_tools()}
    assert seen == {
        "read_commis_result": ["job_id"],
        "read_commis_file": ["job_id", "file_path", "start_line", "max_lines"],
        "list_commis": ["status", "since_hours", "limit"],
        "grep_commis": ["pattern", "regex", "since_hours"],
        "get_commis_metadata": ["job_id"],
        "get_commis_metrics": ["job_id"],
    }


def test_every_tool_and_argument_is_described():
    for tool in ConciergeToolkit().get_tools():
        assert 40 < len(tool.description) < 400
        assert all(argument["description"] for argument in tool.args.values())


def test_without_a_store_the_environment_decides(desk: Desk, monkeypatch):
    desk.commis(result="The result is 42.", duration_ms=98)
    monkeypatch.setenv(ENV_ROOT, str(desk.store.root))
    tool = ConciergeToolkit().get_tools()[0]
    assert tool.invoke({"job_id": 1}).endswith("Execution time: 98ms\n\nThe result is 42.")


@pytest.mark.parametrize("options", [{"max_bytes": 100}, {"detail": "all"}, {"owner_id": 7}])
def test_a_bad_option_is_refused(options: dict[str, Any]):
    with pytest.raises(ValidationError):
        ConciergeToolkit(**options)


def test_the_prompt_holds_the_hint_of_the_specification():
    hint = "For detailed performance metrics, read 'metrics.jsonl' from the commis directory"
    assert hint in CONCIERGE_PROMPT


@pytest.mark.parametrize(
    ("tool", "args", "error"),
    [
        ("read_commis_result", {}, "job_id is missing. Expected: read_commis_result(job_id)."),
        (
            "read_commis_file",
            {"job_id": [1], "file_path": 3, "start_line": "first"},
            "job_id must be a whole number or text, and file_path must be text, "
            "and start_line must be a whole number. "
            "Expected: read_commis_file(job_id, file_path, start_line=None, max_lines=None).",
        ),
        (
            "grep_commis",
            {"pattern": "x", "since_hours": "a day"},
            "since_hours must be a number. "
            "Expected: grep_commis(pattern, regex=False, since_hours=24).",
        ),
    ],
)
def test_arguments_of_the_wrong_kind_are_explained_without_echo(desk: Desk, tool, args, error):
    assert desk.error(tool, **args) == f"Error: {error}"


def test_a_store_that_cannot_be_read_is_said_in_one_line(desk: Desk):
    desk.commis()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # what is open stays, no more opens
    try:
        answer = desk.error("get_commis_metrics", job_id=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer == "Error: The commis store cannot be read just now (OSError)."


def test_the_owner_may_come_from_the_config(desk: Desk):
    desk.commis("hers", owner_id="alice", duration_ms=1, result="for alice")
    desk.commis("his", owner_id="bob", duration_ms=1, result="for bob")

    def owner(config: RunnableConfig) -> str | None:
        return config["configurable"].get("user")

    builder = StateGraph(MessagesState)
    builder.add_node(
        "tools", ToolNode(ConciergeToolkit(store=desk.store, owner_id=owner).get_tools())
    )
    builder.add_edge(START, "tools")
    graph = builder.compile()
    calls = [
        {"name": "read_commis_result", "args": {"job_id": job}, "id": str(job), "type": "tool_call"}
        for job in (1, 2)
    ]
    asked = {"messages": [AIMessage("", tool_calls=calls)]}
    for user, texts in (
        ("alice", ["for alice", "Error: Commis job 2 not found. Recent jobs: 1."]),
        ("bob", ["Error: Commis job 1 not found. Recent jobs: 2.", "for bob"]),
    ):
        state = graph.invoke(asked, {"configurable": {"user": user}})
        answers = [message.content for message in state["messages"][1:]]
        assert [a[-len(text) :] for a, text in zip(answers, texts, strict=True)] == texts


def test_an_owner_that_is_no_text_is_a_mistake_of_the_program(desk: Desk):
    with pytest.raises(ConfigurationError, match="must return a str or None, not int"):
        desk.message("list_commis", toolkit={"owner_id": lambda config: 7})


def test_a_config_from_the_model_is_ignored(desk: Desk):
    desk.commis("hers", owner_id="alice")
    forged = {"configurable": {"user": "alice"}}
    owner = lambda config: config.get("configurable", {}).get("user")  # noqa: E731
    answer = desk.answer("list_commis", toolkit={"owner_id": owner}, config=forged)
    assert answer.startswith("No commis")


async def test_files_are_not_read_on_the_event_loop(desk: Desk):
    threads = []

    def owner(config: RunnableConfig) -> None:
        threads.append(threading.current_thread())

    tools = ConciergeToolkit(store=desk.store, owner_id=owner).get_tools()
    args = {"job_id": 1, "file_path": "x", "pattern": "x"}
    await asyncio.gather(*(tool.ainvoke(args) for tool in tools))
    assert len(threads) == len(NAMES)
    assert threading.current_thread() not in threads


UNKNOWN = "[owner unknown]"


def test_nobody_is_the_unknown_owner(desk: Desk):
    """Of a commis whose owner could not be told; its id may be a name that a user chose."""
    desk.commis("lost", owner_id=UNKNOWN)
    with pytest.raises(ConfigurationError, match="nobody's name"):
        ConciergeToolkit(store=desk.store, owner_id=UNKNOWN).get_tools()
    with pytest.raises(ConfigurationError, match="nobody's name"):
        desk.message("list_commis", toolkit={"owner_id": lambda config: UNKNOWN})


def test_tools_are_described_without_docstrings():
    code = (
        "from zerg_visibility import ConciergeToolkit\n"
        "print([tool.description for tool in ConciergeToolkit().get_tools()])"
    )
    out = subprocess.run(
        [sys.executable, "-OO", "-c", code], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout.decode()
    assert out.strip() == str([tool.description for tool in ConciergeToolkit().get_tools()])
