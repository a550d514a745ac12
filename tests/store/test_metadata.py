import dataclasses

import orjson
import pytest

from zerg_visibility import (
    CommisMetadata,
    CommisRunRecord,
    CommisTotals,
    LLMCallRecord,
    MetadataUnreadableError,
    ToolCallRecord,
)

ID = "2025-12-15T04-08-08_calculate-7-6"

FULL = CommisMetadata(
    commis_id=ID,
    job_id=123,
    name="research",
    task="Calculate 7*6 \N{PARTY POPPER} \u2028",
    status="failed",
    created_at="2025-12-15T04:08:08.123456Z",
    started_at="2025-12-15T04:08:08.123456Z",
    finished_at="2025-12-15T04:08:08.221456Z",
    duration_ms=98,
    wall_ms=99,
    segments=2,
    attempts=3,
    error="ValueError: boom",
    owner_id="ann",
    parent_commis_id="2025-12-15T04-08-07_parent",
    concierge_id="2025-12-15T04-08-00_01234567",
    trace_id="a" * 32,
    span_id="b" * 16,
    thread_id="t",
    pid=1,
    pid_started="boot:1",
    host="cube",
    totals=CommisTotals(llm_calls=2, prompt_tokens=7, cost_usd=0.25),
    dropped_records=4,
)


def test_it_reads_back_as_it_was_written():
    assert CommisMetadata.from_json(FULL.to_json(), ID) == FULL
    bare = CommisMetadata(commis_id=ID)
    assert CommisMetadata.from_json(bare.to_json(), ID) == bare


def test_it_is_one_line_of_json_in_which_unknown_values_are_null():
    data = CommisMetadata(commis_id=ID).to_json()
    assert data.count(b"\n") == 1
    loaded = orjson.loads(data)
    assert loaded["commis_id"] == ID
    assert loaded["finished_at"] is None
    assert loaded["totals"]["cost_usd"] is None
    assert loaded["schema_version"] == 1


def test_what_is_written_is_its_json_object_even_if_a_text_has_no_form_in_utf8():
    assert orjson.loads(FULL.to_json()) == FULL.to_dict()
    odd = dataclasses.replace(FULL, thread_id="lone \ud800 surrogate")
    assert orjson.loads(odd.to_json()) == {**FULL.to_dict(), "thread_id": "lone ? surrogate"}


def test_the_directory_decides_over_what_the_file_says():
    other = "2025-12-15T04-08-08_other"
    assert CommisMetadata.from_json(FULL.to_json(), other).commis_id == other


def test_fields_of_a_later_version_are_ignored():
    data = {**FULL.to_dict(), "mood": "good", "schema_version": 2}
    read = CommisMetadata.from_json(orjson.dumps(data), ID)
    assert read == dataclasses.replace(FULL, schema_version=2)


def test_fields_that_are_missing_have_their_defaults():
    assert CommisMetadata.from_json(b"{}", ID) == CommisMetadata(commis_id=ID)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"42",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"status": 1}',
        b'{"duration_ms": "98"}',
        b'{"duration_ms": 1.5}',
        b'{"job_id": true}',
        b'{"name": null}',
        b'{"task": ["a"]}',
        b'{"created_at": "yesterday"}',
        b'{"started_at": 5}',
        b'{"totals": 5}',
        b'{"totals": {"llm_calls": "2"}}',
        b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:30]),
)
def test_anything_else_is_an_error_that_names_the_commis(data):
    with pytest.raises(MetadataUnreadableError, match=f"commis {ID} is not readable"):
        CommisMetadata.from_json(data, ID)


def test_totals_add_up_records():
    span = {"start_us": 0, "end_us": 1_600}
    totals = CommisTotals.of(
        [
            LLMCallRecord(
                **span, prompt_tokens=10, completion_tokens=5, total_tokens=15, cached_tokens=4,
                reasoning_tokens=2, cost_usd=0.5,
            ),
            LLMCallRecord(**span, prompt_tokens=1, total_tokens=1, cost_usd=0.25),
            LLMCallRecord(**span),
            LLMCallRecord(**span, success=False),
            ToolCallRecord(**span),
            ToolCallRecord(**span, success=False),
            CommisRunRecord(start_us=0, end_us=10**9),
        ]
    )  # fmt: skip
    assert totals == CommisTotals(
        llm_calls=4,
        tool_calls=2,
        llm_failures=1,
        tool_failures=1,
        prompt_tokens=11,
        completion_tokens=5,
        total_tokens=16,
        cached_tokens=4,
        reasoning_tokens=2,
        calls_without_usage=1,
        cost_usd=0.75,
        llm_ms=6,  # summed before it is rounded
        tool_ms=3,
    )
