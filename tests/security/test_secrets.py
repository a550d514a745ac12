"""Rejected argument values, HTTP headers and what `redact` names are in no file and no log."""

from __future__ import annotations

import contextlib
import threading
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel, field_validator

from tests.scripted import asks, commis_agent, plain_commis, run, says
from zerg_visibility import (
    CommisStore,
    MemorySink,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
    redact_secrets,
)

CANARY = "CANARY-7f3a9c-CANARY"
KEY = "sk-proj-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3dE6gH9"


@pytest.fixture
def log(tmp_path: Path):
    path = tmp_path / "logs" / "backend.log"
    handler = configure_logging(path, level="DEBUG")
    yield path
    handler.close()


def files_with(text: str, *folders: Path, but: tuple[str, ...] = ()) -> list[str]:
    return [
        path.name
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.name not in but and text in path.read_text()
    ]


class Login(BaseModel):
    user: str
    pin: int

    @field_validator("user")
    @classmethod
    def _known(cls, user: str) -> str:
        if user == "nobody":
            raise ValueError("there is no such user")
        return user


@tool(args_schema=Login)
def login(user: str, pin: int) -> str:
    """Log in."""
    return "welcome"


SAID = ("thread.jsonl", "started.jsonl")
"""Messages, and what tools are called with, are stored as they were, unless `redact` says otherwise
or they are not captured."""


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_rejected_argument_is_in_no_record(user, store, handler, log):
    commis = commis_agent(asks("login", user=user, pin=CANARY), says("No luck."), tools=[login])
    with contextlib.suppress(Exception):
        run(create_commis_node(commis, store=store), "Log in.", handler)

    [found] = store.recent()
    assert found.totals.tool_failures == 1
    [failed] = [record for record in store.records(found.commis_id).items if not record.success]
    assert "pin" in failed.error
    assert files_with(CANARY, store.root, log.parent, but=SAID) == []


def test_a_state_that_does_not_validate_is_in_no_record(store, handler, log):
    def fail(_: Any) -> None:
        Login(user="alice", pin=CANARY)

    with contextlib.suppress(ValueError):
        run(create_commis_node(plain_commis(fail), store=store), "Log in.", handler)

    [found] = store.recent()
    assert found.status == "failed"
    assert "pin" in found.error
    assert files_with(CANARY, store.root, log.parent) == []


class HTTPStatusError(Exception):
    """Like those of HTTP clients, which hang request and response on the error."""

    def __init__(self) -> None:
        super().__init__("Error code: 401")
        self.request = self.response = type(
            "Message", (), {"headers": {"authorization": f"Bearer {CANARY}"}}
        )()
        self.body = {"key": CANARY}


def test_headers_of_a_failed_request_are_in_no_record(store, handler, log):
    commis = commis_agent(HTTPStatusError())
    with contextlib.suppress(HTTPStatusError):
        run(create_commis_node(commis, store=store), "Ask.", handler)

    [found] = store.recent()
    assert found.error == "HTTPStatusError: Error code: 401"
    assert files_with(CANARY, store.root, log.parent) == []


def test_headers_in_a_chained_error_are_in_no_record(store, handler, log):
    def fail(_: Any) -> None:
        try:
            raise RuntimeError(f"headers: {{'authorization': 'Bearer {CANARY}'}}")
        except RuntimeError as error:
            raise ConnectionError("the service is away") from error

    with contextlib.suppress(ConnectionError):
        run(create_commis_node(plain_commis(fail), store=store), "Ask.", handler)

    assert files_with(CANARY, store.root, log.parent) == []


@pytest.mark.parametrize("where", ["node", "handler"])
def test_what_redact_names_is_nowhere(where, store, log):
    """Every place that a secret can come from: task, model, tool, output, error, answer, name."""

    @tool
    def leak(key: str) -> str:
        """Tell."""
        return f"the key is {key}"

    @tool
    def fail(key: str) -> str:
        """Fail."""
        raise ValueError(f"bad key {key}")

    calls = [
        {"name": "leak", "args": {"key": KEY}, "id": "1"},
        {"name": "fail", "args": {"key": KEY}, "id": "2"},
    ]

    def commis() -> Any:
        return commis_agent(
            AIMessage("", tool_calls=calls[:1]),
            says(f"It is {KEY}."),
            tools=[leak, fail],
            model_name=f"model-{KEY}",
        )

    def failing() -> Any:
        return commis_agent(AIMessage("", tool_calls=calls[1:]), tools=[leak, fail])

    options = {"redact": redact_secrets}
    handler = VisibilityCallbackHandler(store, **(options if where == "handler" else {}))
    for graph in (commis(), failing()):
        node = create_commis_node(
            graph, store=store, name=f"with {KEY}", **(options if where == "node" else {})
        )
        with contextlib.suppress(ValueError):
            run(node, f"Use the key {KEY}", handler)

    assert handler.stats.failures == 0
    assert [one.status for one in store.recent()] == ["failed", "success"]
    assert files_with(KEY, store.root, log.parent) == []
    assert files_with(KEY[8:], store.root, log.parent) == []
    assert [path for path in store.root.rglob("*") if KEY[8:20] in path.name] == []


def failing_commis(store: CommisStore, fail: Any) -> Any:
    """A commis that hides more than what it is started in."""
    return create_commis_node(plain_commis(fail), store=store, redact=redact_secrets)


def refuse(_: Any) -> None:
    raise PermissionError(f"the key {KEY} is not valid")


def test_two_commis_that_fail_side_by_side_both_hide_why_from_the_concierge(store, log):
    """The graph raises what one of them raised, after the other one has failed as well."""
    one_has_failed, other_works = threading.Event(), threading.Event()

    def fail(_: Any) -> None:
        assert other_works.wait(30)
        refuse(_)

    def fail_later(_: Any) -> None:
        other_works.set()
        assert one_has_failed.wait(30)
        refuse(_)

    class Sink(MemorySink):
        def emit(self, record: Any) -> None:
            one_has_failed.set()

    handler = VisibilityCallbackHandler(store, sinks=[Sink()])
    builder = StateGraph(MessagesState)
    for name, step in (("one", fail), ("other", fail_later)):
        builder.add_node(name, failing_commis(store, step)).add_edge(START, name)
    with pytest.raises(PermissionError):
        run(builder.compile(), "Ask.", handler)

    assert len(files_with("[redacted", store.root)) >= 3
    assert files_with(KEY, store.root, log.parent) == []


@pytest.mark.parametrize("how", ["in a tool", "under two handlers", "too late"])
def test_what_a_failing_commis_hides_is_hidden_by_what_started_it(
    how, store, handler, tmp_path, log
):
    commis = failing_commis(store, refuse)
    other = VisibilityCallbackHandler(CommisStore(tmp_path / "other"))
    root_has_ended, threads = threading.Event(), []

    @tool
    def research() -> str:
        """Start a commis."""
        return str(commis.invoke({"messages": []}))

    nesting = create_commis_node(plain_commis(lambda _: research.invoke({})), store=store)

    def late() -> None:
        assert root_has_ended.wait(30)
        with contextlib.suppress(PermissionError):
            nesting.invoke({"messages": []})

    def step(_: Any) -> Any:
        if how != "too late":
            return research.invoke({})
        threads.append(threading.Thread(target=copy_context().run, args=(late,)))
        return threads[0].start()

    handlers = [handler, other] if how == "under two handlers" else [handler]
    with contextlib.suppress(PermissionError):
        run(plain_commis(step), "Ask.", *handlers)
    root_has_ended.set()
    for thread in threads:
        thread.join(30)

    assert handler.stats.records >= 3
    assert files_with(KEY, store.root, other.store.root, log.parent) == []


def test_tool_arguments_and_prompts_are_in_no_record(tmp_path, handler, log):
    """They are in thread.jsonl and started.jsonl, and can be left out there; metrics and log never
    hold them."""
    store = CommisStore(tmp_path / "bare")

    @tool
    def keep(key: str) -> str:
        """Keep."""
        return "kept"

    commis = commis_agent(asks("keep", key=CANARY), says("Done."), tools=[keep])
    node = create_commis_node(commis, store=store, capture=("starts",), task=lambda _: "keep it")
    run(node, f"Keep {CANARY}", handler)
    assert files_with(CANARY, store.root, handler.store.root, log.parent) == []


def test_what_a_failing_redact_names_in_its_error_is_not_logged(store, log):
    def checked(text: str) -> str:
        if CANARY in text:
            raise ValueError(f"cannot make sense of {text}")
        return text

    worker = plain_commis(lambda _: {"messages": [AIMessage(f"The key is {CANARY}.")]})
    node = create_commis_node(worker, store=store, redact=checked)
    run(node, "Look it up", VisibilityCallbackHandler(store))
    assert files_with(CANARY, store.root, log.parent) == []
    assert "could not redact a text: ValueError, text withheld (test_secrets.py:" in log.read_text()


def test_a_tool_node_that_raises_tells_no_arguments(tmp_path, store, handler, log):
    call = {"name": "login", "id": "1", "args": {"user": CANARY, "pin": CANARY}}
    builder = StateGraph(MessagesState)
    builder.add_node("ask", lambda _: {"messages": [AIMessage("", tool_calls=[call])]})
    builder.add_node("tools", ToolNode([login], handle_tool_errors=False))
    builder.add_edge(START, "ask").add_edge("ask", "tools")
    graph = create_commis_node(builder.compile(), store=store, capture={"result"})

    with pytest.raises(ToolException, match=CANARY):
        run(graph, "Log in", handler)

    [commis] = store.recent()
    assert commis.error is not None
    assert commis.error.startswith("ToolInvocationError: login: pin: Input should be a valid int")
    assert files_with(CANARY, tmp_path) == []
    assert "ToolInvocationError" in log.read_text()


def test_a_fault_tells_no_rejected_value(tmp_path, store, log):
    def task(state: Any) -> str:
        return Login.model_validate({"user": "me", "pin": state["messages"][0][1]}).user

    graph = create_commis_node(
        plain_commis(lambda _: {"messages": [AIMessage("done")]}),
        store=store,
        task=task,
        capture={"result"},
    )
    run(graph, CANARY, VisibilityCallbackHandler(store))
    assert "could not make a task text" in log.read_text()
    assert "ValidationError: pin: Input should be a valid integer" in log.read_text()
    assert files_with(CANARY, tmp_path) == []
