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
    CommisRunRecord,
    CommisStore,
    KeyValueFormatter,
    LLMCallRecord,
    ToolCallRecord,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
)
from zerg_visibility.cli.main import main
from zerg_visibility.records.codec import json_line
from zerg_visibility.sinks.log import LogSink

FIELDS = (
    "phase", "duration_ms", "commis_id", "model", "prompt_tokens", "completion_tokens",
    "total_tokens", "tool", "success", "error", "event", "status", "commis_name",
)  # fmt: skip
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
PLAIN_ID = "2025-12-15T04-08-08_calculate-7-6"


def is_harmless(text: str) -> bool:
    """Say whether a line holds nothing that a terminal or a reader of lines would act on."""
    return not any(
        unicodedata.category(char) in UNSEEN or "\U000e0000" <= char <= "\U000e007f"
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


ALL_UNSEEN = [chr(code) for code in range(0x110000) if not is_harmless(chr(code))]
SOME = 50
"""So few that a text of them is shown in full."""


@pytest.mark.parametrize("begin", range(0, len(ALL_UNSEEN) - 2048, SOME))
def test_no_unseen_character_gets_through(begin, tmp_path, capsys, monkeypatch):
    """All there are; of the 2,048 surrogates, a few."""
    assert ALL_UNSEEN.count("\ud800") == 1
    seen = [char for char in ALL_UNSEEN if not "\ud801" <= char <= "\udffe"]
    text = "a" + "b".join(seen[begin : begin + SOME]) + "c"
    log_file = configure_logging(tmp_path / "backend.log")
    # Or pytest would keep surrogates too, and could not hand them from one process to another.
    monkeypatch.setattr(logging.getLogger("zerg_visibility"), "propagate", False)
    logging.getLogger("zerg_visibility").warning(text)
    logging.getLogger("zerg_visibility").warning("x", extra={"field": text, text: 1})
    LogSink().emit(ToolCallRecord(tool=text, error=text, success=False, **times))
    log_file.close()
    assert all(map(is_harmless, (tmp_path / "backend.log").read_text().split("\n")))

    store = CommisStore(tmp_path / "data")
    commis_id = places.add_commis(
        store, "x", None, task=text, name=text, error=text, status="failed"
    )
    line = json_line(ToolCallRecord(tool=text, error=text, success=False, **times).to_dict())
    store.save_text(commis_id, "metrics.jsonl", line.decode())
    shown_is_harmless(store, capsys)

    place = places.Place(store.root, store, commis_id, commis_id, commis_id)
    for tool_name, arguments in {
        "list_commis": {"since_hours": FOR_EVER},
        "read_commis_result": {"job_id": 1},
        "get_commis_metrics": {"job_id": 1},
    }.items():
        answer = place.ask(tool_name, None, **arguments)
        assert all(map(is_harmless, answer.split("\n"))), tool_name


def test_json_for_programs_is_what_was_stored(store, capsys):
    text = "".join(char for char in ALL_UNSEEN if not "\ud800" <= char <= "\udfff")
    commis_id = places.add_commis(store, "x", None, task=text)
    assert main(["show", "1", "--json", "--root", str(store.root)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert json.dumps(text) in json.dumps(shown), commis_id


EVENTS = ("llm_call_complete", "tool_call_complete", "commis_complete")


@pytest.mark.parametrize("event", EVENTS)
def test_who_searches_for_an_event_finds_its_lines_only(event):
    where = {**times, "commis_id": PLAIN_ID}
    records = [
        LLMCallRecord(model=event, phase=event, error=f"E: {event}", success=False, **where),
        ToolCallRecord(tool=event, error=f"E: x{event}s", success=False, **where),
        CommisRunRecord(name=event, error=event, status="failed", **where),
    ]
    for record, own in zip(records, EVENTS, strict=True):
        line = log_line(record)
        assert line.count(event) == (2 if event == own else 0)
        assert event.replace("_complete", r"\x5fcomplete") in line
    other = logging.makeLogRecord({"msg": f"no {event}", "field": event, "event": "x" + event})
    assert event not in KeyValueFormatter().format(other)
