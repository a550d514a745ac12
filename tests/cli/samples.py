"""Commis as they lie on disk, and the command as a shell runs it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bound import bound_command
from zerg_visibility import (
    CommisMetadata,
    CommisRunRecord,
    CommisStore,
    CommisTotals,
    LLMCallRecord,
    Record,
    ToolCallRecord,
)
from zerg_visibility.clock import format_us
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.started import CallStarted
from zerg_visibility.store.layout import METRICS, STARTED

SECOND = 1_000_000
REPOSITORY = Path(__file__).parents[2]


def llm(start_us: int, ms: int, **fields) -> LLMCallRecord:
    given = {
        "model": "gpt-5-mini",
        "phase": "initial",
        "prompt_tokens": 1200,
        "completion_tokens": 34,
        "total_tokens": 1234,
        "span_id": f"{start_us % 16**16:016x}",
        **fields,
    }
    return LLMCallRecord(start_us=start_us, end_us=start_us + 1000 * ms, **given)


def tool(start_us: int, ms: int, **fields) -> ToolCallRecord:
    given = {"tool": "ssh_exec", "span_id": f"{start_us % 16**16:016x}", **fields}
    return ToolCallRecord(start_us=start_us, end_us=start_us + 1000 * ms, **given)


def run(start_us: int, ms: int, **fields) -> CommisRunRecord:
    return CommisRunRecord(start_us=start_us, end_us=start_us + 1000 * ms, **fields)


def start(start_us: int, event: str, name: str, span_id: str = "ab" * 8) -> CallStarted:
    return CallStarted(event=event, name=name, span_id=span_id, start_us=start_us)


def append(store: CommisStore, commis_id: str, *records: Record) -> None:
    file = store.append_file(store.folder(commis_id) / METRICS)
    for record in records:
        file.append(json_line(record.to_dict()))
    file.close()


class Maker:
    """Makes commis as they lie on disk, each a little younger than the one before."""

    def __init__(self, store: CommisStore) -> None:
        self.store = store
        self.begun_us = time.time_ns() // 1000 - 600 * SECOND

    def __call__(
        self,
        task: str = "Calculate 7*6",
        records: Callable[[int], list[Record]] = lambda t: [],
        starts: Callable[[int], list[CallStarted]] = lambda t: [],
        **fields,
    ) -> CommisMetadata:
        begun = fields.pop("begun_us", self.begun_us)
        self.begun_us += SECOND
        commis_id, job_id = self.store.create(task, begun)
        made = records(begun)
        append(self.store, commis_id, *made)
        if begins := starts(begun):
            file = self.store.append_file(self.store.folder(commis_id) / STARTED)
            for item in begins:
                file.append(json_line(item.to_dict()))
            file.close()
        status = fields.get("status", "success")
        end = max([begun, *(record.end_us for record in made)])
        ended = {
            "finished_at": format_us(end),
            "duration_ms": (end - begun) // 1000,
            "wall_ms": (end - begun) // 1000,
        }
        metadata = CommisMetadata(
            **{
                "commis_id": commis_id,
                "job_id": job_id,
                "name": "research",
                "task": task,
                "status": status,
                "created_at": format_us(begun),
                "started_at": format_us(begun),
                "totals": CommisTotals.of(made),
                **({} if status == "running" else ended),
                **fields,
            }
        )
        self.store.save_metadata(metadata)
        self.last = metadata
        return metadata


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **more}


def zerg(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user's shell does."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "zerg_visibility", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**more),
    )


def bound_zerg(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """The same as a user who may not read what has mode 0."""
    return subprocess.run(
        bound_command("-W", "error", "-m", "zerg_visibility", *arguments),
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**more),
    )
