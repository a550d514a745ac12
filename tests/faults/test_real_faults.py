"""Faults as machines have them: full disks, read-only folders, folders that vanish."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.runs import (
    CALLS,
    RECORDS,
    answer,
    calculator,
    expected_answer,
    is_complete,
    nothing,
    said_once,
    watched,
)
from tests.processes import python_with_faults
from zerg_visibility import CommisStore, VisibilityCallbackHandler

FULL_DISK = """
import sys
from pathlib import Path
from tests.faults.full_disk import main
main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None)
"""
BYTES_ALLOWED = 1200
"""A file may grow no further: two records and a bit."""


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a file system of 256 kB, where that is allowed; say whether it was."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tmp_path):
    """A small file system where one may be mounted; else files that may not grow."""
    with small_disk(tmp_path / "disk") as mounted:
        limit = () if mounted else (BYTES_ALLOWED,)
        out = python_with_faults(FULL_DISK, tmp_path / "disk" / "data", *limit)
    the_graph_did_not_notice(json.loads(out))


def test_files_that_may_not_grow(tmp_path):
    out = python_with_faults(FULL_DISK, tmp_path / "data", BYTES_ALLOWED)
    the_graph_did_not_notice(json.loads(out))


def the_graph_did_not_notice(found: dict) -> None:
    assert found["alike"] == [True] * 4
    stats = found["stats"]
    assert stats["open_runs"] == 0
    assert 0 < stats["dropped_records"] <= stats["failures"]
    assert found["lines"] >= stats["records"] - stats["dropped_records"]
    jobs = [found["jobs"][number] for number in sorted(found["jobs"], key=int)]
    assert jobs[0]["complete"]
    *_, with_room_again, filled_meanwhile = jobs
    assert with_room_again["complete"]
    assert filled_meanwhile["status"] == "success"
    assert filled_meanwhile["dropped"] > 0
    assert filled_meanwhile["dropped"] + filled_meanwhile["records"] == CALLS


def read_only(tmp_path: Path) -> Path:
    """A folder in which nothing can be made, by root neither."""
    if os.geteuid() == 0:
        return Path("/sys")
    tmp_path.chmod(0o500)
    return tmp_path


def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("a regular file")
    return tmp_path / "file"


@pytest.mark.parametrize("place", [read_only, below_a_file])
def test_a_root_where_nothing_can_be_made(place, tmp_path, caplog):
    folder = tmp_path / "place"
    folder.mkdir()
    store = CommisStore(place(folder) / "data" / "deeper")
    handler = VisibilityCallbackHandler(store)

    assert answer(watched(store), handler) == expected_answer()

    stats = handler.stats
    assert (stats.records, stats.dropped_records, stats.open_runs) == (RECORDS, RECORDS, 0)
    assert stats.failures >= stats.dropped_records
    assert said_once(caplog)
    assert list(store.recent()) == []
    folder.chmod(0o700)


@pytest.mark.parametrize("what", ["data", "data/commis", "data/jobs", "data/concierge"])
def test_a_folder_is_deleted_during_a_run(what, store, tmp_path):
    handler = VisibilityCallbackHandler(store)
    answer(watched(store), handler)
    commis = calculator(first=lambda: shutil.rmtree(tmp_path / what))

    assert answer(watched(store, commis), handler) == expected_answer()

    assert handler.open_runs == 0
    # What was there is gone; what comes later is written again.
    assert answer(watched(store), handler) == expected_answer()
    assert is_complete(store, store.newest_job())


def test_the_root_is_replaced_by_a_file_during_a_run_and_comes_back(store, caplog):
    handler = VisibilityCallbackHandler(store)

    def replace() -> None:
        shutil.rmtree(store.root)
        store.root.write_text("not a folder any more")

    commis = calculator(first=replace, last=store.root.unlink)

    assert answer(watched(store, commis), handler) == expected_answer()

    assert handler.stats.dropped_records > 0
    assert said_once(caplog)
    assert answer(watched(store), handler) == expected_answer()
    assert is_complete(store, store.newest_job())


def test_the_working_directory_moves_on_and_is_deleted(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    store = CommisStore("data")

    def leave() -> None:
        (tmp_path / "elsewhere").mkdir()
        os.chdir(tmp_path / "elsewhere")

    commis = calculator(first=leave, last=nothing)
    assert answer(watched(store, commis), VisibilityCallbackHandler(store)) == expected_answer()
    assert is_complete(CommisStore(here / "data"), 1)


def test_all_file_handles_are_taken(tmp_path):
    """The whole process has none left for a while, its log file included."""
    out = python_with_faults(NO_HANDLES, tmp_path / "data")
    assert json.loads(out) == {"alike": [True, True], "complete": True, "counted": True}


NO_HANDLES = """
import json, os, resource, sys
from tests.faults.runs import *
root = sys.argv[1]
expected = expected_answer()
store = CommisStore(root)
handler = VisibilityCallbackHandler(store)
taken = []
def take():
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
def give_back():
    while taken:
        os.close(taken.pop())
expected_answer()
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
take()
alike = [answer(watched(store), handler) == expected]
give_back()
counted = handler.stats.failures > 0 and handler.stats.dropped_records > 0
alike.append(answer(watched(store), handler) == expected)
print(json.dumps({"alike": alike, "complete": is_complete(store, store.newest_job()),
                  "counted": counted}))
"""
