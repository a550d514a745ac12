from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from zerg_visibility import CommisMetadata, CommisStore, ConciergeToolkit, Record
from zerg_visibility.clock import SYSTEM_CLOCK, format_us
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.started import CallStarted

HOUR_US = 3_600_000_000

GONE: dict[str, Any] = {
    "status": "running",
    "pid": 2**22 + 1,  # beyond the largest process id of Linux
    "pid_started": "never",
    "host": socket.gethostname(),
}
"""How a commis stands whose process is gone."""


def age(path: Path, seconds: int) -> None:
    """Make a file as old as if it had been written so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


@dataclass(frozen=True)
class Made:
    """A commis made for a test, with everything needed to name it."""

    commis_id: str
    job_id: int
    folder: Path
    started_us: int

    @property
    def label(self) -> str:
        return f"commis job {self.job_id} (commis {self.commis_id})"


class Desk:
    """Commis made through the real store, and tools called as a ToolNode calls them."""

    def __init__(self, root: Path) -> None:
        self.store = CommisStore(root)

    def commis(
        self,
        task: str = "Calculate 7*6",
        *,
        result: str | None = None,
        ago_us: int = 0,
        records: tuple[Record, ...] = (),
        starts: tuple[CallStarted, ...] = (),
        **known: Any,
    ) -> Made:
        started_us = SYSTEM_CLOCK.wall_us() - ago_us
        commis_id, job_id = self.store.create(task, started_us)
        moment = format_us(started_us)
        values = {"status": "success", "created_at": moment, "started_at": moment, **known}
        self.store.save_metadata(
            CommisMetadata(commis_id=commis_id, job_id=job_id, task=task, **values)
        )
        folder = self.store.folder(commis_id)
        if result is not None:
            self.store.save_text(commis_id, "result.txt", result)
        for name, lines in (("metrics.jsonl", records), ("started.jsonl", starts)):
            if lines:
                file = self.store.append_file(folder / name)
                for line in lines:
                    file.append(json_line(line.to_dict()))
                file.close()
        return Made(commis_id, job_id, folder, started_us)

    def message(self, tool: str, *, toolkit: dict[str, Any] | None = None, **args: Any):
        found = self.tool(tool, **(toolkit or {}))
        message = found.invoke({"name": tool, "args": args, "id": "1", "type": "tool_call"})
        assert isinstance(message, ToolMessage)
        return message

    def tool(self, name: str, **options: Any):
        tools = ConciergeToolkit(store=self.store, **options).get_tools()
        return {tool.name: tool for tool in tools}[name]

    def answer(self, tool: str, *, toolkit: dict[str, Any] | None = None, **args: Any) -> str:
        message = self.message(tool, toolkit=toolkit, **args)
        assert message.status == "success", message.content
        return message.content

    def error(self, tool: str, *, toolkit: dict[str, Any] | None = None, **args: Any) -> str:
        message = self.message(tool, toolkit=toolkit, **args)
        assert message.status == "error", message.content
        return message.content


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "store")
