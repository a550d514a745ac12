import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bound import bound_python, closed
from tests.processes import python
from zerg_visibility import CommisMetadata, CommisNotFoundError, CommisStore, FileNotInCommisError
from zerg_visibility.clock import format_us, parse_us
from zerg_visibility.store.ids import MAX_KEYS_IN_MEMORY

NOON = parse_us("2025-12-15T12:00:00Z")
KEY = "0123456789abcdef" * 2


def made(store, task="Calculate 7*6", at_us=NOON, **fields) -> CommisMetadata:
    commis_id, job_id = store.create(task, at_us)
    metadata = CommisMetadata(
        **{
            "commis_id": commis_id,
            "job_id": job_id,
            "task": task,
            "status": "success",
            "started_at": format_us(at_us),
            **fields,
        }
    )
    store.save_metadata(metadata)
    return metadata


def test_making_a_store_touches_nothing(tmp_path):
    store = CommisStore(tmp_path / "data")
    assert list(store.recent()) == []
    assert store.newest_job() == 0
    with pytest.raises(CommisNotFoundError):
        store.find(1)
    assert not store.root.exists()


def test_the_root_comes_from_the_argument_else_the_environment_else_is_zerg_data(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert CommisStore().root == tmp_path / "zerg-data"
    monkeypatch.setenv("ZERG_VISIBILITY_ROOT", "elsewhere")
    assert CommisStore().root == tmp_path / "elsewhere"
    assert CommisStore("here").root == tmp_path / "here"


def test_a_later_change_of_directory_moves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = CommisStore("data")
    monkeypatch.chdir("/")
    made(store)
    assert (tmp_path / "data" / "jobs" / "1").read_text() == "2025-12-15T12-00-00_calculate-7-6"


def test_names_that_are_taken_get_a_number(store):
    ids = [store.create("Calculate 7*6", NOON) for _ in range(4)]
    base = "2025-12-15T12-00-00_calculate-7-6"
    assert ids == [(base, 1), (f"{base}-2", 2), (f"{base}-3", 3), (f"{base}-4", 4)]


def test_find_takes_a_job_or_a_commis(store):
    one = made(store)
    for job in (1, "1", one.commis_id):
        assert store.find(job) == one.commis_id


@pytest.mark.parametrize("job", [2, "0", "", "..", "../jobs/1", "2025-12-15T12-00-00_nothing"])
def test_what_is_not_there_is_not_found(store, job):
    made(store)
    with pytest.raises(CommisNotFoundError, match="no commis"):
        store.find(job)


def test_a_job_that_points_out_of_the_store_is_not_found(store):
    made(store)
    store.write_file(store.root / "jobs" / "2", b"../../../etc")
    store.write_file(store.root / "jobs" / "3", b"2025-12-15T12-00-00_gone")
    for job in (2, 3):
        with pytest.raises(CommisNotFoundError):
            store.find(job)


def test_recent_goes_from_the_newest_to_the_oldest(store):
    commis = [made(store, at_us=NOON + 1_000_000 * number) for number in range(5)]
    assert list(store.recent()) == commis[::-1]
    assert list(store.recent(since_us=NOON + 3_000_000)) == [commis[4], commis[3]]
    assert next(store.recent()) == commis[4]


def test_recent_filters_by_status_and_sees_all_owners(store):
    ann = made(store, owner_id="ann")
    failed = made(store, status="failed")
    bob = made(store, owner_id="bob", status="failed")
    assert list(store.recent(status="failed")) == [bob, failed]
    assert list(store.recent(status="success")) == [ann]


def test_a_job_file_without_content_is_passed_over(store):
    first = made(store)
    store.write_file(store.root / "jobs" / "2", b"")
    third = made(store)
    assert third.job_id == 3
    assert list(store.recent()) == [third, first]


def test_files_are_named_relative_to_the_commis(store):
    commis_id = made(store).commis_id
    folder = store.folder(commis_id)
    store.write_file(folder / "tool_calls" / "001_ls.txt", b"x")
    store.save_text(commis_id, "result.txt", "a lone \ud83d surrogate")
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    (folder / ".result.txt.1.tmp").write_text("half")
    assert store.files(commis_id) == ["metadata.json", "result.txt", "tool_calls/001_ls.txt"]
    assert store.result(commis_id) == "a lone ? surrogate"
    with store.open_file(commis_id, "tool_calls/001_ls.txt") as file:
        assert file.read() == b"x"
    for name in ("link", "pipe", "tool_calls", ".result.txt.1.tmp", "nothing", "../x"):
        with pytest.raises(FileNotInCommisError):
            store.open_file(commis_id, name)


def test_a_folder_swapped_for_a_link_leads_nowhere(store, tmp_path):
    commis_id = made(store).commis_id
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "001_ls.txt").write_text("secret")
    (store.folder(commis_id) / "tool_calls").symlink_to(tmp_path / "outside")
    with pytest.raises(FileNotInCommisError):
        store.open_file(commis_id, "tool_calls/001_ls.txt")
    assert store.files(commis_id) == ["metadata.json"]


class TestKeys:
    def test_a_key_leads_to_its_commis_in_this_process(self, store):
        commis_id = made(store).commis_id
        store.remember_key(KEY, commis_id, on_disk=False)
        assert store.commis_of_key(KEY, on_disk=False) == commis_id
        assert store.commis_of_key("f" * 32, on_disk=False) is None
        assert not (store.root / "keys").exists()

    def test_on_disk_it_leads_there_in_another_process_too(self, store):
        commis_id = made(store).commis_id
        store.remember_key(KEY, commis_id, on_disk=True)
        code = """
            import sys
            from zerg_visibility import CommisStore
            print(CommisStore(sys.argv[1]).commis_of_key(sys.argv[2], on_disk=True))
        """
        assert python(code, store.root, KEY) == f"{commis_id}\n"
        assert Path(store.root / "keys" / KEY).read_text() == commis_id

    def test_a_key_of_a_commis_that_is_gone_leads_nowhere(self, store):
        commis_id, _ = store.create("Calculate 7*6", NOON)
        store.remember_key(KEY, commis_id, on_disk=True)
        store.folder(commis_id).rmdir()
        assert store.commis_of_key(KEY, on_disk=True) is None
        assert CommisStore(store.root).commis_of_key(KEY, on_disk=True) is None

    @pytest.mark.parametrize("content", [b"", b"../../etc", b"\xff\xfe"])
    def test_a_broken_key_file_leads_nowhere(self, store, content):
        store.write_file(store.root / "keys" / KEY, content)
        assert store.commis_of_key(KEY, on_disk=True) is None

    def test_memory_for_keys_is_bounded(self, store):
        commis_id = made(store).commis_id
        for number in range(MAX_KEYS_IN_MEMORY + 1):
            store.remember_key(f"{number:032x}", commis_id, on_disk=False)
        assert store.commis_of_key(f"{0:032x}", on_disk=False) is None
        assert store.commis_of_key(f"{1:032x}", on_disk=False) == commis_id


class TestWhatMayNotBeRead:
    """By one user, in a store that several write to."""

    LISTED = """
        import sys
        from zerg_visibility import CommisStore
        for one in CommisStore(sys.argv[1]).recent():
            print(one.job_id, one.status, one.name, one.error)
    """

    @pytest.mark.parametrize("mode", [0, 0o444], ids=["closed", "not to be entered"])
    def test_a_folder_is_listed_with_the_reason_and_hides_no_other(self, store, mode):
        now = time.time_ns() // 1000
        made(store, at_us=now, name="fine")
        theirs = made(store, at_us=now)
        with closed(store.folder(theirs.commis_id), mode=mode):
            listed = bound_python(self.LISTED, store.root).splitlines()
        assert listed == [
            f"2 lost ? metadata.json of commis {theirs.commis_id} cannot be read "
            "(Permission denied)",
            "1 success fine None",
        ]

    def test_if_none_can_be_entered_each_says_so(self, store):
        made(store)
        with closed(store.root / "commis"):
            assert "(Permission denied)" in bound_python(self.LISTED, store.root)

    def test_a_job_file_hides_no_other(self, store):
        made(store, name="fine")
        made(store)
        with closed(store.root / "jobs" / "2"):
            assert bound_python(self.LISTED, store.root) == "1 success fine None\n"

    @pytest.mark.parametrize("mode", [0, 0o444], ids=["closed", "not to be entered"])
    def test_jobs_that_cannot_be_read_are_not_none(self, store, mode):
        made(store)
        code = """
            import sys
            from zerg_visibility import CommisStore
            try:
                list(CommisStore(sys.argv[1]).recent())
            except PermissionError:
                print("refused")
        """
        with closed(store.root / "jobs", mode=mode):
            assert bound_python(code, store.root) == "refused\n"


class TestWithoutMetadata:
    def test_one_that_is_just_being_born_is_running(self, store):
        commis_id, job_id = store.create("Calculate 7*6", time.time_ns() // 1000)
        (store.folder(commis_id) / ".metadata.json.1.1.tmp").write_text("{")
        assert [one.status for one in store.recent()] == ["running"]
        assert store.commis(commis_id).written == replace(next(store.recent()), job_id=None)
        assert job_id == 1

    def test_one_that_has_left_a_call_is_lost_however_young(self, store):
        commis_id, _ = store.create("Calculate 7*6", time.time_ns() // 1000)
        store.append_file(store.folder(commis_id) / "metrics.jsonl").append(b"{}\n")
        assert [one.status for one in store.recent(status="lost")] == ["lost"]

    def test_a_file_that_is_deleted_makes_nothing_young_again(self, store):
        old = made(store)
        (store.folder(old.commis_id) / "metadata.json").unlink()
        assert [one.status for one in store.recent()] == ["lost"]
        assert store.commis(1).written == next(store.recent())


# -- traces and keys of root runs ------------------------------------------------------------------


def test_a_trace_names_what_belongs_to_it_once(store):
    trace = "0a" * 16
    for name in ("2025-12-15T12-00-00_one", "2025-12-15T12-00-00_two", "2025-12-15T12-00-00_one"):
        store.note_trace(trace, name)
    found = sorted((store.root / "traces" / trace).iterdir())
    assert [path.name for path in found] == ["2025-12-15T12-00-00_one", "2025-12-15T12-00-00_two"]
    assert [path.read_bytes() for path in found] == [b"", b""]


def test_the_root_run_of_a_key_is_found_by_another_store(store):
    store.remember_key(KEY, "2025-12-15T12-00-00_0a1b2c3d", on_disk=True)
    other = CommisStore(store.root)
    assert other.concierge_of_key(KEY) == "2025-12-15T12-00-00_0a1b2c3d"
    assert other.concierge_of_key(KEY[::-1]) is None
    (store.root / "keys" / KEY).write_text("../elsewhere")
    assert CommisStore(store.root).concierge_of_key(KEY) is None
