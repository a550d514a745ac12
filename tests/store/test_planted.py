"""What somebody else left in a store: it costs no more than itself, and nobody waits for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import python
from tests.security import places
from tests.security.places import FOR_EVER, Place
from zerg_visibility import (
    CommisMetadata,
    CommisStore,
    FileNotInCommisError,
    MetadataUnreadableError,
)
from zerg_visibility.clock import format_us, parse_us
from zerg_visibility.store.liveness import ProcessMark, this_process

HOST = this_process().host
ID = "2025-12-15T04-08-08_a-task"


def two_commis(store: CommisStore) -> Place:
    planted = places.add_commis(store, "one", None)
    other = places.add_commis(store, "other", None)
    return Place(store.root, store, planted, other, other)


@pytest.mark.parametrize("pid", [2**31, 2**40, 2**62, 0, -1, -(2**40)])
def test_a_process_id_that_no_process_has(pid, store):
    assert ProcessMark(pid=pid, pid_started=None, host=HOST).is_gone()
    place = two_commis(store)
    store.save_metadata(
        CommisMetadata(commis_id=place.own, job_id=1, status="running", pid=pid, host=HOST)
    )
    assert [commis.status for commis in store.recent()] == ["success", "lost"]


MOMENTS = ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", ["created_at", "started_at", "segment_started_at", "finished_at"])
def test_a_moment_outside_of_all_years(name, moment):
    with pytest.raises(ValueError, match="no form in UTC"):
        parse_us(moment)
    with pytest.raises(MetadataUnreadableError, match="no form in UTC"):
        CommisMetadata.from_json(f'{{"{name}": "{moment}"}}'.encode(), ID)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "1000-01-01T00:00:00Z"])
def test_the_first_and_the_last_moment_can_be_written(moment):
    assert parse_us(format_us(parse_us(moment))) == parse_us(moment)


def deep(folder: Path) -> None:
    before = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(1_500):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(before)


@pytest.fixture
def _removed_again(store) -> Iterator[None]:
    """Such folders are too deep for pytest to remove."""
    yield
    subprocess.run(["rm", "-rf", str(store.root)], check=True)


def sparse(folder: Path) -> None:
    with (folder / "metadata.json").open("wb") as file:
        file.truncate(2 * 1024**3)


PLANTS: dict[str, Callable[[Path], None]] = {"1,500 folders": deep, "two gigabytes": sparse}


@pytest.mark.usefixtures("_removed_again")
@pytest.mark.parametrize("plant", PLANTS)
def test_the_others_can_still_be_read(plant, store):
    place = two_commis(store)
    PLANTS[plant](store.folder(place.own))
    assert "result.txt" in store.files(place.own)
    listed = place.ask("list_commis", None, since_hours=FOR_EVER)
    assert len(listed.splitlines()) == 3
    assert "Files: " in place.ask("read_commis_file", None, job_id=1, file_path="none")


def test_a_metadata_file_beyond_all_measure_is_not_loaded(tmp_path):
    out = python(
        """
        import resource, sys
        from pathlib import Path
        from tests.store.test_planted import sparse, two_commis
        from zerg_visibility import CommisStore
        place = two_commis(CommisStore(sys.argv[1]))
        sparse(place.store.folder(place.own))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = [(one.name, "1,000,000 bytes" in one.error) for one in place.store.recent()]
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        print(found, grown < 100)
        """,
        tmp_path / "data",
    )
    assert out.strip() == "[('other', False), ('?', True)] True"


def test_nobody_waits_for_a_pipe_in_place_of_an_id(tmp_path):
    """In a process of its own, which can be stopped: it would wait for good."""
    out = python(
        """
        import os, sys
        from tests.store.test_planted import two_commis
        from zerg_visibility import CommisStore
        place = two_commis(CommisStore(sys.argv[1]))
        store = place.store
        (store.root / "jobs/1").unlink()
        os.mkfifo(store.root / "jobs/1")
        (store.root / "keys").mkdir()
        os.mkfifo(store.root / "keys" / ("a" * 32))
        key = store.commis_of_key("a" * 32, on_disk=True)
        print([commis.commis_id for commis in store.recent()] == [place.other], key)
        """,
        tmp_path / "data",
    )
    assert out.strip() == "True None"


def test_an_id_is_read_from_files_only(store):
    place = two_commis(store)
    job = store.root / "jobs" / "1"
    job.unlink()
    (store.root / "secret").write_text(place.own)
    job.symlink_to(store.root / "secret")
    assert [commis.commis_id for commis in store.recent()] == [place.other]


def test_a_commis_that_is_a_link_to_somewhere_else_has_no_files(store):
    place = two_commis(store)
    link = store.folder("2026-01-01T00-00-00_linked")
    link.symlink_to(store.folder(place.other))
    with pytest.raises(FileNotInCommisError):
        store.open_file(link.name, "result.txt")
    assert store.files(link.name) == []
