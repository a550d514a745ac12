"""No text from outside makes a second line, a false field, or a coloured terminal."""

from __future__ import annotations

import json
import logging
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException, tool

from tests.scripted import commis_agent, run, says
from tests.security import places
from tests.security.names import CONTROLS, FORGERIES, examples, hostile_texts
from tests.security.places import FOR_EVER
from zerg_visibility import (
    CommisStore,
    KeyValueFormatter,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
)
from zerg_visibility.cli.main import main
from zerg_visibility.records import CommisRunRecord, LLMCallRecord, ToolCallRecord, json_line
from zerg_visibility.sinks.log import LogSink

FIELDS = (
    "phase", "duration_ms", "commis_id", "model", "prompt_tokens", "completion_tokens",
    "total_tokens", "tool", "success", "error", "event", "status", "commis_name",
)  # fmt: skip
PLAIN_ID = "2025-12-15T04-08-08_calculate-7-6"


def is_harmless(text: str) -> bool:
    """Say whether a line holds nothing that a terminal or a reader of lines would act on."""
    return not any(
        unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
        or char in "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
        for char in text
    )


class Lines(logging.Handler):
    """Keeps what a log file would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(KeyValueFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def log_line(record) -> str:
    logger = logging.Logger("test", logging.INFO)  # noqa: LOG001 - known to nobody else
    lines = Lines()
    logger.addHandler(lines)
    LogSink(logger).emit(record)
    [line] = lines.lines
    return line


times = {"start_us": 0, "end_us": 98_000, "trace_id": "0" * 32, "span_id": "1" * 16}


@examples()
@given(text=hostile_texts)
@example(text="llm_call_complete event=llm_call_complete")
def test_a_hostile_value_stays_one_field_of_one_line(text):
    where = {**times, "commis_id": PLAIN_ID}
    records = [
        LLMCallRecord(model=text, phase=text, error=text, success=False, **where),
        ToolCallRecord(tool=text, error=text, success=False, **where),
        CommisRunRecord(name=text, error=text, status="failed", **where),
    ]
    for record in records:
        line = log_line(record)
        assert is_harmless(line)
        assert line.splitlines() == [line]
        names = re.findall(r"(\w+)=", line)
        assert len(names) == len(set(names)), line
        # What the specification's grep and awk commands take out of it.
        assert line.partition("duration_ms=")[2].split()[0] == "98"
        assert line.partition("commis_id=")[2].split()[0] == PLAIN_ID
        assert line.rpartition(" ")[2] in {
            "event=llm_call_complete", "event=tool_call_complete", "event=commis_complete",
        }  # fmt: skip


@examples()
@given(name=hostile_texts, value=hostile_texts, message=hostile_texts)
def test_other_peoples_lines_stay_lines(name, value, message):
    """Our formatter may stand on a logger that others log to."""
    record = logging.LogRecord("app", logging.INFO, "x.py", 1, message, (), None)
    record.__dict__.setdefault(name, value)
    line = KeyValueFormatter().format(record)
    assert line.splitlines() == [line]
    assert is_harmless(line)


@examples()
@given(text=hostile_texts)
def test_a_record_is_one_line_of_json(text):
    record = LLMCallRecord(model=text, phase=text, node=text, error=text, success=False, **times)
    line = json_line(record.to_dict())
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.decode().isascii() or json.loads(line)
    assert len(line.decode().splitlines()) >= 1
    assert set(json.loads(line)) == set(record.to_dict())


def hostile_commis(text: str) -> object:
    """A commis in which model, tool, error and answer all carry the text."""

    @tool
    def trap(what: str) -> str:
        """Fail, in words from outside."""
        raise ToolException(what)

    # LangChain makes a class of each tool, whose name can hold nearly everything.
    trap.name = text[:60].encode("utf-8", "replace").decode().replace("\0", "?")
    call = {"name": trap.name, "args": {"what": text}, "id": text}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    trap.handle_tool_error = True
    return commis_agent(
        AIMessage("", tool_calls=[call], usage_metadata=usage),
        says(text),
        tools=[trap],
        model_name=text,
    )


@pytest.mark.parametrize("text", [*CONTROLS, *FORGERIES], ids=ascii)
def test_a_whole_run_of_hostile_texts(text, tmp_path, capsys):
    text = f"a{text}b{text}"
    store = CommisStore(tmp_path / "data")
    path = tmp_path / "backend.log"
    log_file = configure_logging(path)
    handler = VisibilityCallbackHandler(store)
    graph = create_commis_node(hostile_commis(text), store=store, name=text, task=lambda _: text)

    run(graph, "a hostile task", handler)
    log_file.close()

    assert handler.stats.dropped_records == 0
    lines = path.read_text().split("\n")[:-1]
    info = [line for line in lines if " INFO " in line]
    assert len(info) == handler.stats.records
    assert all(is_harmless(line) for line in lines)
    [commis] = store.recent()
    metrics = (store.folder(commis.commis_id) / "metrics.jsonl").read_bytes()
    assert len(store.records(commis.commis_id).items) == metrics.count(b"\n")
    shown_is_harmless(store, capsys)


def shown_is_harmless(store: CommisStore, capsys: pytest.CaptureFixture) -> None:
    for command in (["list"], ["show", "1"], ["list", "--json"], ["show", "1", "--json"]):
        code = main([*command, "--root", str(store.root)])
        shown = capsys.readouterr()
        assert (code, shown.err) == (0, "")
        assert all(is_harmless(line.replace("\t", " ")) for line in shown.out.split("\n")), command


@examples(divided_by=2)
@given(text=hostile_texts, status=st.sampled_from(["success", "failed", "cancelled"]))
def test_a_terminal_shows_hostile_texts_as_text(text, status, tmp_path_factory, capsys):
    store = CommisStore(tmp_path_factory.mktemp("shown"))
    commis_id = places.add_commis(
        store, "x", text, task=text, name=text, error=text, status=status, host=text,
        thread_id=text, parent_commis_id=text,
    )  # fmt: skip
    records = [
        LLMCallRecord(model=text, error=text, success=False, phase=text, **times),
        ToolCallRecord(tool=text, output_file=text, tool_call_id=text, **times),
    ]
    lines = b"".join(json_line(record.to_dict()) for record in records)
    store.save_text(commis_id, "metrics.jsonl", lines.decode())

    shown_is_harmless(store, capsys)
    main(["list", "--root", str(store.root)])
    listed = capsys.readouterr().out
    main(["list", "--root", str(places_with_plain_text(tmp_path_factory).root)])
    assert listed.count("\n") == capsys.readouterr().out.count("\n")


def places_with_plain_text(tmp_path_factory: pytest.TempPathFactory) -> CommisStore:
    store = CommisStore(tmp_path_factory.mktemp("plain"))
    places.add_commis(store, "x", None)
    return store


@examples(divided_by=2)
@given(text=hostile_texts)
def test_what_the_concierge_reads_about_other_things_stays_on_its_line(text, tmp_path_factory):
    store = CommisStore(tmp_path_factory.mktemp("answers"))
    commis_id = places.add_commis(store, "x", None, task=text, name=text, error=text)
    place = places.Place(store.root, store, commis_id, commis_id, commis_id)
    listed = place.ask("list_commis", None, since_hours=FOR_EVER)
    assert len(listed.splitlines()) == 2
    assert all(is_harmless(line) for line in listed.splitlines())
