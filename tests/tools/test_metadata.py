from __future__ import annotations

import json
import os
import socket

import pytest

from tests.tools.conftest import GONE, Desk
from tests.tools.samples import THE_USUAL
from zerg_visibility.store.runs import SegmentRun


def test_it_is_the_stored_json(desk: Desk):
    made = desk.commis("Calculate 7*6", duration_ms=98, name="research")
    answer = desk.answer("get_commis_metadata", job_id="1")
    assert json.loads(answer) == json.loads((made.folder / "metadata.json").read_bytes())
    assert answer.startswith(f'{{\n  "commis_id": "{made.commis_id}",\n  "job_id": 1,\n')


async def test_the_same_asynchronously(desk: Desk):
    desk.commis(duration_ms=98)
    tool = desk.tool("get_commis_metadata")
    args = {"job_id": 1}
    message = await tool.ainvoke({"name": tool.name, "args": args, "id": "1", "type": "tool_call"})
    assert json.loads(message.content)["duration_ms"] == 98


def test_the_reader_decides_what_is_lost(desk: Desk):
    host = socket.gethostname()
    desk.commis(status="running", pid=2**22 + 1, pid_started="never", host=host)
    desk.commis(status="running", pid=os.getpid(), host=host)
    statuses = [
        json.loads(desk.answer("get_commis_metadata", job_id=job))["status"] for job in (1, 2)
    ]
    assert statuses == ["lost", "running"]


@pytest.mark.parametrize("standing", [{"status": "running"}, GONE], ids=["running", "lost"])
def test_what_has_not_ended_is_added_up(desk: Desk, standing):
    desk.commis(**standing, records=THE_USUAL)
    totals = json.loads(desk.answer("get_commis_metadata", job_id=1))["totals"]
    assert (totals["llm_calls"], totals["tool_calls"], totals["tool_failures"]) == (2, 3, 1)
    assert totals["total_tokens"] == 12_345


def test_long_texts_are_cut_and_it_stays_json(desk: Desk):
    desk.commis("\N{GRINNING FACE}" * 50_000, error='"' * 50_000, owner_id="o" * 50_000)
    options = {"max_bytes": 4000, "owner_id": "o" * 50_000}
    answer = desk.answer("get_commis_metadata", job_id=1, toolkit=options)
    assert len(answer.encode()) <= 4000
    assert json.loads(answer)["error"] == '"' * 200 + "… (50,000 characters in all)"


def test_the_latest_of_many_segments_are_enough(desk: Desk):
    runs = tuple(
        SegmentRun(span_id=f"{number:016x}", trace_id="ab" * 16, status="interrupted",
                   asked="May I? " * 70)
        for number in range(100)
    )  # fmt: skip
    desk.commis(segments=100, runs=runs)
    answer = desk.answer("get_commis_metadata", job_id=1, toolkit={"max_bytes": 4000})
    assert len(answer.encode()) <= 4000
    document = json.loads(answer)
    assert document["segments"] == 100
    assert [run["span_id"][-2:] for run in document["runs"]] == ["61", "62", "63"]


def test_unreadable_metadata_points_elsewhere(desk: Desk):
    made = desk.commis()
    (made.folder / "metadata.json").write_bytes(b"{")
    assert desk.error("get_commis_metadata", job_id=1) == (
        f"Error: The metadata.json of {made.label} cannot be read; "
        "read_commis_result and get_commis_metrics say what is known without it."
    )
