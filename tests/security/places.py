"""A store with two owners' commis, and canaries wherever neither may look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerg_visibility import CommisMetadata, CommisStore, ConciergeToolkit
from zerg_visibility.clock import format_us

CANARY = "CANARY-7f3a9c"
OWN_TEXT = "what alice may read"
FOR_EVER = 100_000
"""The most hours that the tools look back."""

START_US = 1_765_771_688_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A store in a folder with canaries all around.

    Args:
        outside: The folder in which the store's root lies.
        store: The store.
        own: Alice's commis.
        other: Bob's.
        nobodys: One without an owner.
    """

    outside: Path
    store: CommisStore
    own: str
    other: str
    nobodys: str

    def ask(self, tool: str, owner: str | None = "alice", **arguments: Any) -> str:
        """Use a tool as an owner's concierge."""
        toolkit = ConciergeToolkit(store=self.store, owner_id=owner)
        tools = {one.name: one for one in toolkit.get_tools()}
        call = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        return str(tools[tool].invoke(call).content)

    def everything(self) -> dict[str, bytes | str]:
        """What lies where, to see whether anything was written."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.outside.rglob("*")):
            name = str(path.relative_to(self.outside))
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_file():
                found[name] = path.read_bytes()
            else:
                found[name] = "folder"
        return found


def build(outside: Path) -> Place:
    """Make a place."""
    store = CommisStore(outside / "data")
    own = add_commis(store, OWN_TEXT, "alice")
    other = add_commis(store, CANARY, "bob")
    nobodys = add_commis(store, CANARY, None)
    (outside / "secret").write_text(CANARY)
    (store.root / "secret").write_text(CANARY)
    (store.root / "commis" / "secret").write_text(CANARY)
    folder = store.folder(own)
    (folder / "link_to_file").symlink_to(outside / "secret")
    (folder / "link_to_folder").symlink_to(outside)
    (folder / "link_to_other").symlink_to(store.folder(other))
    (folder / ".metadata.json.1.1.tmp").write_text(CANARY)
    return Place(outside, store, own, other, nobodys)


def add_commis(store: CommisStore, text: str, owner: str | None, **known: Any) -> str:
    """Store a finished commis in which a text is everywhere."""
    commis_id, job_id = store.create("a task", START_US)
    store.save_text(commis_id, "result.txt", text)
    store.save_text(commis_id, "metrics.jsonl", f'{{"event":"{text}"}}\n')
    store.write_file(store.folder(commis_id) / "tool_calls/001_ssh_exec.txt", text.encode())
    known = {
        "task": text,
        "status": "success",
        "error": text,
        "name": text,
        "created_at": format_us(START_US),
        "started_at": format_us(START_US),
        **known,
    }
    store.save_metadata(CommisMetadata(commis_id=commis_id, job_id=job_id, owner_id=owner, **known))
    return commis_id
