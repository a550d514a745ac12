"""One run of a concierge with two commis, on exact times: what the documented commands look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import ToolException, tool

from tests.scripted import after, asks, says, scripted
from zerg_visibility import CommisStore, VisibilityCallbackHandler, create_commis_tool
from zerg_visibility.testing import FakeClock

COMMIS_ID = "2025-12-15T03-19-12_backup"
"""As the specification's commands call it."""

FAILURE = 'no space left: device="/dev/sda1"'


@dataclass(frozen=True)
class BackupRun:
    """A concierge at work.

    Args:
        store: Where its commis go.
        handler: What watches it.
        graph: The compiled concierge.
    """

    store: CommisStore
    handler: VisibilityCallbackHandler
    graph: Any

    def go(self) -> dict[str, Any]:
        """Let it do its work, once."""
        return self.graph.invoke(
            {"messages": [("user", "Back up the server, then verify.")]},
            {"callbacks": [self.handler]},
        )


def backup_run(root: Path, times: int = 1) -> BackupRun:
    """Make a concierge whose first commis is COMMIS_ID, for so many runs."""
    clock = FakeClock("2025-12-15T03:19:11.900Z")
    store = CommisStore(root)

    @tool
    def ssh_exec(command: str) -> str:
        """Run a command on the server."""
        if command == "tar":
            clock.advance(1234)
            return "done"
        clock.advance(300)
        raise ToolException(FAILURE)

    ssh_exec.handle_tool_error = True
    backup = [
        after(clock, 19_500, asks("ssh_exec", "call_1", command="tar")),
        after(clock, 2_000, asks("ssh_exec", "call_2", command="rsync")),
        after(clock, 111, says("Half of it is saved.")),
    ]
    verify = [after(clock, 50, says("It is there."))]
    steer = [
        after(clock, 100, asks("backup", task="backup")),
        after(clock, 100, asks("verify", task="Verify it")),
        after(clock, 100, says("Saved and verified.")),
    ]
    commis = {
        "backup": create_agent(scripted(*backup * times), [ssh_exec]),
        "verify": create_agent(scripted(*verify * times, model_name="gpt-5"), []),
    }
    tools = [
        create_commis_tool(graph, name=name, description="A commis.", store=store)
        for name, graph in commis.items()
    ]
    return BackupRun(
        store=store,
        handler=VisibilityCallbackHandler(store, clock=clock, raise_error=True),
        graph=create_agent(scripted(*steer * times, model_name="gpt-5-nano"), tools),
    )
