"""The six tools in the hands of a concierge's model, in a compiled graph on real files."""

import json

import pytest

from tests.scripted import (
    answers_of,
    asks,
    asks_all,
    calculator,
    commis_agent,
    concierge,
    run,
    says,
)
from zerg_visibility import CONCIERGE_PROMPT, ConciergeToolkit, create_commis_node


def send_and_consult(store, handler, *calls, **toolkit):
    """Let a concierge send one commis and then use a tool; give what the tools answered."""
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        *calls,
        says("Thank you."),
        store=store,
        commis=calculator(),
        **toolkit,
    )
    state = run(graph, "Please find out.", handler)
    used = {call["name"] for answer in calls for call in answer.tool_calls}
    return [message for name in sorted(used) for message in answers_of(state, name)]


def test_six_tools_are_given():
    assert [tool.name for tool in ConciergeToolkit().get_tools()] == [
        "read_commis_result",
        "read_commis_file",
        "list_commis",
        "grep_commis",
        "get_commis_metadata",
        "get_commis_metrics",
    ]


def test_the_prompt_has_the_sentence_of_the_specification():
    flat = " ".join(CONCIERGE_PROMPT.split())
    assert (
        "For detailed performance metrics, read 'metrics.jsonl' from the commis directory" in flat
    )


def test_one_message_may_use_all_tools_at_once(store, handler):
    answers = send_and_consult(
        store,
        handler,
        asks_all(
            asks("read_commis_result", job_id="1"),
            asks("read_commis_file", job_id=1, file_path="result.txt"),
            asks("list_commis"),
            asks("grep_commis", pattern="The result is"),
            asks("get_commis_metadata", job_id="1"),
            asks("get_commis_metrics", job_id="1"),
        ),
    )
    commis_id = store.find(1)
    label = f"commis job 1 (commis {commis_id})"
    assert {answer.status for answer in answers} == {"success"}
    by_tool = {answer.name: answer.text for answer in answers}
    assert by_tool["read_commis_result"].startswith(f"Result from {label}:\n\nExecution time: ")
    assert (
        by_tool["read_commis_file"] == f"Contents of result.txt from {label}:\n\nThe result is 42."
    )
    assert "Calculate 7*6" in by_tool["list_commis"]
    assert "The result is 42." in by_tool["grep_commis"]
    assert commis_id in by_tool["get_commis_metadata"]
    assert by_tool["get_commis_metrics"].startswith(f"Metrics of {label}: ")
    assert len(by_tool["get_commis_metrics"]) <= 1500


def test_the_commis_id_does_as_well_as_the_job(store, handler):
    first = send_and_consult(store, handler, asks("read_commis_result", job_id=1))
    again = send_and_consult(store, handler, asks("read_commis_result", job_id=store.find(1)))
    assert first[0].content == again[0].content


def test_metadata_is_given_as_json(store, handler):
    [answer] = send_and_consult(store, handler, asks("get_commis_metadata", job_id="1"))
    known = json.loads(answer.text[answer.text.index("{") :])
    assert (known["job_id"], known["status"], known["task"]) == (1, "success", "Calculate 7*6")
    assert known["duration_ms"] == store.metadata(store.find(1)).duration_ms


def test_the_output_of_a_tool_can_be_read_in_full(store, handler):
    [answer] = send_and_consult(
        store,
        handler,
        asks("read_commis_file", job_id="1", file_path="tool_calls/001_multiply.txt"),
    )
    assert answer.text.endswith(":\n\n42")


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (
            asks("read_commis_result", job_id="999"),
            "Error: Commis job 999 not found. Recent jobs: 1.",
        ),
        (
            asks("read_commis_file", job_id="1", file_path="../2/result.txt"),
            "Error: File '../2/result.txt' not found in commis job 1. Files: metadata.json, "
            "metrics.jsonl, result.txt, started.jsonl, thread.jsonl, tool_calls/001_multiply.txt.",
        ),
    ],
)
def test_a_mistake_is_told_to_the_model_and_the_graph_goes_on(store, handler, call, answer):
    [message] = send_and_consult(store, handler, call)
    assert (message.status, message.content) == ("error", answer)
    [record] = [
        record
        for record in handler_records(store)
        if record["event"] == "tool_call" and record["tool"] != "research"
    ]
    assert (record["success"], record["error"]) == (False, answer)


def handler_records(store):
    [folder] = (store.root / "concierge").iterdir()
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_bad_pattern_is_told_to_the_model(store, handler):
    [message] = send_and_consult(store, handler, asks("grep_commis", pattern="(", regex=True))
    assert message.status == "error"
    assert message.text.startswith("Error: ")


async def test_all_tools_work_in_an_async_graph(store, handler):
    graph = concierge(
        asks("research", task="Calculate 7*6"),
        asks_all(
            asks("read_commis_result", job_id="1"),
            asks("read_commis_file", job_id="1", file_path="metrics.jsonl"),
            asks("list_commis"),
            asks("grep_commis", pattern="42"),
            asks("get_commis_metadata", job_id="1"),
            asks("get_commis_metrics", job_id="1"),
            asks("get_commis_metrics", "again", job_id="7"),
        ),
        says("Thank you."),
        store=store,
        commis=calculator(),
    )
    inputs = {"messages": [("user", "Please find out.")]}
    state = await graph.ainvoke(inputs, {"callbacks": [handler]})
    statuses = [message.status for message in state["messages"] if message.type == "tool"]
    assert statuses == ["success"] * 7 + ["error"]


class TestOwners:
    def test_a_toolkit_sees_exactly_the_commis_of_its_owner(self, store, handler):
        for owner in ("ann", "bob", None):
            commis = create_commis_node(calculator(), store=store, owner_id=owner)
            run(commis, f"Task of {owner}", handler)
        seen = {}
        for owner in ("ann", "bob", None):
            [answer] = send_and_consult(store, handler, asks("list_commis"), owner_id=owner)
            seen[owner] = [
                name for name in ("ann", "bob", "None") if f"Task of {name}" in answer.text
            ]
        assert seen == {"ann": ["ann"], "bob": ["bob"], None: ["None"]}

    def test_anothers_commis_reads_as_not_found(self, store, handler):
        commis = create_commis_node(calculator(), store=store, owner_id="bob")
        run(commis, "Secret", handler)
        [answer] = send_and_consult(
            store, handler, asks("read_commis_result", job_id="1"), owner_id="ann"
        )
        assert answer.text == "Error: Commis job 1 not found. There are no recent jobs."

    def test_the_owner_may_come_from_the_config_of_the_run(self, store, handler):
        commis = create_commis_node(calculator(), store=store, owner_id="bob")
        run(commis, "For bob", handler)
        graph = concierge(
            asks("read_commis_result", job_id="1"),
            says("Thank you."),
            store=store,
            commis=commis_agent(says("unused")),
            owner_id=lambda config: config["configurable"]["user"],
        )
        state = run(graph, "Read it.", handler, configurable={"user": "bob"})
        assert "The result is 42." in answers_of(state, "read_commis_result")[0].text
