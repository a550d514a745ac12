"""What a tool was called with, in started.jsonl and as a size on its record."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from langchain_core.tools import tool

from tests.scripted import asks, commis_agent, json_lines, plain_commis, run, says
from zerg_visibility import create_commis_node, redact_secrets
from zerg_visibility.callbacks.tool_args import ARGS_MAX, args_text

KEY = "sk-" + "a1B2" * 12
ODD = 'pass"word\\1'
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"


@tool
def deploy(host: str, options: dict | None = None) -> str:
    """Deploy."""
    return "done"


def lines_of(folder: Path) -> tuple[list[dict], list[dict]]:
    """The tool calls' lines in started.jsonl and in metrics.jsonl."""
    return tuple(
        [line for line in json_lines(folder / name) if line["event"] == "tool_call"]
        for name in ("started.jsonl", "metrics.jsonl")
    )


def deployed(store, handler, call, **options) -> tuple[list[dict], list[dict]]:
    commis = commis_agent(call, says("Done."), tools=[deploy])
    run(create_commis_node(commis, store=store, **options), "Deploy.", handler)
    return lines_of(store.folder(store.find(1)))


def test_a_tool_call_says_at_its_start_what_it_was_called_with(store, handler):
    [started], [ended] = deployed(store, handler, asks("deploy", host="wëb-1", options={"n": 2}))
    assert started["args"] == '{"host":"wëb-1","options":{"n":2}}'
    assert ended["args_bytes"] == len(started["args"].encode())
    assert started["ns"] == ended["ns"]


def test_arguments_are_not_stored_where_capture_leaves_them_out(store, handler):
    [started], [ended] = deployed(
        store, handler, asks("deploy", host="web-1"), capture=("starts", "result")
    )
    assert "args" not in started
    assert ended["args_bytes"] == len('{"host":"web-1"}')


def test_a_tool_that_the_concierge_calls_says_it_too(store, handler):
    def step(_):
        return {"messages": [("ai", deploy.invoke({"host": "web-1"}))]}

    run(plain_commis(step), "Deploy.", handler)
    [folder] = (store.root / "concierge").iterdir()
    [started], _ = lines_of(folder)
    assert started["args"] == '{"host":"web-1"}'


@pytest.mark.parametrize(
    "options", [{"token": KEY}, {"deep": [{"key": PEM}]}, {"x": "y" * 1990, "token": KEY}]
)
def test_secrets_in_arguments_are_redacted_before_they_are_cut(store, handler, options):
    [started], _ = deployed(
        store, handler, asks("deploy", host="web-1", options=options), redact=redact_secrets
    )
    assert '"host":"web-1"' in started["args"]
    for part in (KEY[:12], "MIIEvQ"):
        assert part not in started["args"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"text": "x" * 50_000_000},
        {"texts": ["x" * 1000] * 200_000},
        {f"name{n}": n for n in range(100_000)},
    ],
    ids=["a long text", "many texts", "many names"],
)
def test_huge_arguments_are_cut_before_they_are_written(inputs):
    text, size = args_text(inputs, str(inputs), str, wanted=True)
    assert len(text) == ARGS_MAX
    assert text.startswith('{"')
    assert text.endswith("…")
    # A measure of the whole, without writing it.
    assert size == pytest.approx(len(json.dumps(inputs)), rel=0.2)


def test_arguments_of_any_kind_have_a_text():
    loop: dict = {"host": "web-1"}
    loop["self"] = loop
    odd = {"number": 10**30, "object": deploy.name.join, "loop": loop, "\ud800": {1: b"x"}}
    text, _ = args_text(odd, "odd", str, wanted=True)
    assert text.startswith('{"number":"1000')
    text, _ = args_text(loop, str(loop), lambda text: text.replace("web", "***"), wanted=True)
    assert '"host":"***-1"' in text
    assert args_text(None, "a text", str, wanted=True) == ('"a text"', 8)


@dataclasses.dataclass
class Login:
    password: str


@pytest.mark.parametrize(
    "options", [Login(ODD), {"logins": [Login(ODD)]}, {ODD}, {"names": {ODD: 1}}], ids=repr
)
def test_a_secret_that_json_escapes_is_redacted_wherever_it_stands(options):
    inputs = {"options": options}
    text, _ = args_text(inputs, repr(inputs), lambda text: text.replace(ODD, "***"), wanted=True)
    assert "***" in text
    assert "pass" not in text.replace("password", "")


def test_no_more_of_a_large_table_is_looked_at_than_can_be_shown():
    looked_at = []
    inputs = {"table": [["x"] * 1000 for _ in range(1000)]}
    args_text(inputs, repr(inputs), lambda text: looked_at.append(text) or text, wanted=True)
    assert len(looked_at) < 10_000
