"""One declaration of a record's columns: JSON, sums, log lines and the README follow from it."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
from pathlib import Path

import pytest

from zerg_visibility import (
    CommisMetadata,
    CommisRunRecord,
    CommisTotals,
    LLMCallRecord,
    ToolCallRecord,
)
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.columns import Column, columns, totals
from zerg_visibility.records.runs import ConciergeRunRecord

README = (Path(__file__).parents[2] / "README.md").read_text()
RECORDS = [LLMCallRecord, ToolCallRecord, CommisRunRecord, ConciergeRunRecord]
VALUES = {str: "text", int: 7, float: 0.5, bool: True, dict: {"variant": "b"}}


def full(cls):
    """A record of which every field has a value."""
    known = {one.name: one.type for one in columns(cls)}
    hidden = {"concierge_id": "c"}
    values = {
        field.name: VALUES[known[field.name]] if field.name in known else hidden[field.name]
        for field in dataclasses.fields(cls)
        if field.name not in {"start_us", "end_us"}
    }
    return cls(start_us=1_000_000, end_us=3_000_000, **values)


def metadata():
    return CommisMetadata(commis_id="c", labels={"variant": "b"})


@pytest.mark.parametrize("cls", RECORDS)
def test_the_columns_are_the_fields_of_the_json_in_their_order_and_of_their_type(cls):
    line = json.loads(json_line(full(cls).to_dict()))
    assert [(name, type(value)) for name, value in line.items()] == [
        (one.name, one.type) for one in columns(cls)
    ]


@pytest.mark.parametrize("cls", RECORDS)
def test_a_record_is_read_as_it_was_written(cls):
    record = full(cls)
    read = cls.from_dict(json.loads(json_line(record.to_dict())))
    # What says which file a segment's record belongs to stands in that file's place alone.
    hidden = {"concierge_id": record.concierge_id} if cls is CommisRunRecord else {}
    assert dataclasses.replace(read, **hidden) == record


@pytest.mark.parametrize("cls", RECORDS)
def test_the_readme_lists_the_columns(cls):
    row = re.search(rf"^\| `{cls.event}` \| (.*) \|$", README, re.MULTILINE)
    assert row is not None
    assert re.findall(r"`(\w+)`", row[1]) == [one.name for one in columns(cls)]


def test_the_totals_of_a_commis_have_what_makes_sense_to_add_up():
    assert {one for cls in RECORDS for one in totals(cls)} <= {
        field.name for field in dataclasses.fields(CommisTotals)
    }
    assert Column("cache_write_tokens", int, total=True) in columns(LLMCallRecord)
    call = full(LLMCallRecord)
    added = CommisTotals.of([call, call])
    assert {name: getattr(added, name) for name in totals(LLMCallRecord)} == {
        name: 2 * getattr(call, name) for name in totals(LLMCallRecord)
    }


@pytest.mark.parametrize("cls", [LLMCallRecord, ToolCallRecord, CommisRunRecord])
def test_the_log_line_is_made_of_columns(cls):
    assert set(cls.logged) <= {one.name for one in columns(cls)}


def test_a_record_cannot_be_changed_and_takes_only_what_it_knows():
    record = LLMCallRecord(start_us=0, end_us=1000, model="m")
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.model = "other"
    with pytest.raises(TypeError, match="'modle'"):
        LLMCallRecord(start_us=0, end_us=0, modle="m")
    with pytest.raises(TypeError, match="'end_us'"):
        LLMCallRecord(start_us=0)
    assert dataclasses.replace(record, attempt=2).attempt == 2
    assert record == LLMCallRecord(start_us=0, end_us=1000, model="m", node=None)
    assert hash(record) == hash(pickle.loads(pickle.dumps(record)))
    assert copy.deepcopy(record) == record


@pytest.mark.parametrize(
    "make", [lambda: full(ConciergeRunRecord), metadata], ids=["run", "commis"]
)
def test_what_has_labels_can_be_put_into_a_set(make):
    assert len({make(), make()}) == 1
