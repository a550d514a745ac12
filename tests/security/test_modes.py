"""Who may read what is stored."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.crash.crowd import concierge
from tests.processes import python
from zerg_visibility import CommisStore, VisibilityCallbackHandler

ELSEWHERE = """
import os, sys
os.umask(0)
from tests.crash.crowd import concierge
from zerg_visibility import CommisStore, VisibilityCallbackHandler
mode = int(sys.argv[2], 8) if sys.argv[2] != "none" else None
store = CommisStore(sys.argv[1], mode=mode)
concierge(store).invoke({"task": "x"}, {"callbacks": [VisibilityCallbackHandler(store)]})
"""


@pytest.fixture
def umask():
    """Sets the umask, and puts it back."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


def run_commis(store: CommisStore) -> None:
    concierge(store).invoke({"task": "x"}, {"callbacks": [VisibilityCallbackHandler(store)]})


def modes(root: Path) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {"files": set(), "folders": set()}
    for path in [root, *root.rglob("*")]:
        kind = "folders" if path.is_dir() else "files"
        found[kind].add(stat.S_IMODE(path.stat().st_mode))
    return found


def reachable_by_others(root: Path) -> list[Path]:
    """What another user can open: every folder on the way has to let them through."""
    if stat.S_IMODE(root.stat().st_mode) & 0o011 == 0:
        return []
    found: list[Path] = []
    for path in root.iterdir():
        if path.is_dir():
            found += reachable_by_others(path)
        elif stat.S_IMODE(path.stat().st_mode) & 0o044:
            found.append(path)
    return found


def test_a_private_store_is_private_whatever_the_umask(tmp_path, umask):
    umask(0)
    store = CommisStore(tmp_path / "data", mode=0o600)
    run_commis(store)
    assert modes(store.root) == {"files": {0o600}, "folders": {0o700}}
    assert len(list(store.root.rglob("*"))) > 10


def test_a_group_may_be_let_in(tmp_path, umask):
    umask(0)
    store = CommisStore(tmp_path / "data", mode=0o640)
    run_commis(store)
    assert modes(store.root) == {"files": {0o640}, "folders": {0o750}}


@pytest.mark.parametrize(
    ("mask", "files", "folders"),
    [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750), (0o077, 0o600, 0o700), (0, 0o666, 0o777)],
)
def test_without_a_mode_the_umask_decides(mask, files, folders, tmp_path, umask):
    umask(mask)
    store = CommisStore(tmp_path / "data")
    run_commis(store)
    assert modes(store.root) == {"files": {files}, "folders": {folders}}


def test_what_a_careless_process_made_before_is_out_of_reach(tmp_path):
    root = tmp_path / "data"
    python(ELSEWHERE, root, "none")
    assert len(reachable_by_others(root)) > 5

    run_commis(CommisStore(root, mode=0o600))

    assert reachable_by_others(root) == []


def test_what_a_careless_process_makes_later_is_out_of_reach(tmp_path):
    root = tmp_path / "data"
    run_commis(CommisStore(root, mode=0o600))
    python(ELSEWHERE, root, "none")
    assert reachable_by_others(root) == []


def test_another_process_with_the_same_mode_is_as_private(tmp_path):
    root = tmp_path / "data"
    python(ELSEWHERE, root, "600")
    run_commis(CommisStore(root, mode=0o600))
    assert modes(root) == {"files": {0o600}, "folders": {0o700}}
