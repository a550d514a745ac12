import stat
import threading

import pytest

from tests.processes import python, running
from zerg_visibility import CommisStore, ConfigurationError
from zerg_visibility.clock import parse_us
from zerg_visibility.store.files import FileModes, replace_file

NOON = parse_us("2025-12-15T12:00:00Z")

MAKE_A_COMMIS = """
    import os, sys
    from zerg_visibility import CommisStore
    from zerg_visibility.store.metadata import CommisMetadata
    os.umask(int(sys.argv[2], 8))
    mode = int(sys.argv[3], 8) if len(sys.argv) > 3 else None
    store = CommisStore(sys.argv[1], mode=mode)
    commis_id, job_id = store.create("Calculate 7*6", 1765800000000000)
    folder = store.folder(commis_id)
    store.save_metadata(CommisMetadata(commis_id=commis_id, job_id=job_id))
    store.save_text(commis_id, "result.txt", "42")
    store.write_file(folder / "tool_calls/001_ls.txt", b"x")
    store.append_file(folder / "metrics.jsonl").append(b"x\\n")
    concierge = store.root / "concierge/2025-12-15T12-00-00_abc"
    store.append_file(concierge / "metrics.jsonl").append(b"x\\n")
    store.remember_key("ab" * 16, commis_id, on_disk=True)
"""


def test_a_reader_never_sees_half_of_it(tmp_path):
    path = tmp_path / "metadata.json"
    contents = [bytes([letter]) * 200_000 for letter in b"abcdefgh"]
    replace_file(path, contents[0], FileModes())
    done = threading.Event()

    def write():
        for _ in range(20):
            for content in contents:
                replace_file(path, content, FileModes())
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set():
        assert path.read_bytes() in contents
        reads += 1
    writer.join()
    assert reads > 0
    assert [file.name for file in tmp_path.iterdir()] == ["metadata.json"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "metadata.json"
    out = python(
        """
        import resource, signal, sys
        from pathlib import Path
        from zerg_visibility.store.files import FileModes, replace_file
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        path = Path(sys.argv[1])
        replace_file(path, b"old", FileModes())
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        try:
            replace_file(path, b"new" * 100, FileModes())
        except OSError as error:
            print(error.strerror)
        """,
        path,
    )
    assert out == "File too large\n"
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["metadata.json"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "metadata.json"
    code = """
        import sys
        from pathlib import Path
        from zerg_visibility.store.files import FileModes, replace_file
        path = Path(sys.argv[1])
        replace_file(path, b"a" * 1_000_000, FileModes())
        print("ready", flush=True)
        while True:
            replace_file(path, b"a" * 1_000_000, FileModes())
    """
    with running(code, path) as process:
        process.kill()
        process.wait()
    assert path.read_bytes() == b"a" * 1_000_000


def modes(root) -> dict[str, set[int]]:
    found = [root, *root.rglob("*")]
    return {
        kind: {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir() == is_dir}
        for kind, is_dir in (("folders", True), ("files", False))
    }


@pytest.mark.parametrize(
    ("umask", "mode", "files", "folders"),
    [
        ("022", None, 0o644, 0o755),
        ("077", None, 0o600, 0o700),
        ("002", None, 0o664, 0o775),
        ("000", "600", 0o600, 0o700),
        ("022", "600", 0o600, 0o700),
        ("000", "640", 0o640, 0o750),
        ("077", "640", 0o600, 0o700),
    ],
)
def test_modes(tmp_path, umask, mode, files, folders):
    root = tmp_path / "data"
    python(MAKE_A_COMMIS, root, umask, *([] if mode is None else [mode]))
    assert modes(root) == {"files": {files}, "folders": {folders}}


def test_a_narrowed_store_narrows_the_folders_that_are_there(tmp_path):
    root = tmp_path / "data"
    python(MAKE_A_COMMIS, root, "000")
    CommisStore(root, mode=0o600).create("Secret", NOON)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "commis").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o400, 0, 0o1777, 0o4600, -1])
def test_a_mode_that_locks_the_owner_out_is_refused(tmp_path, mode):
    with pytest.raises(ConfigurationError, match="such as 0o600"):
        CommisStore(tmp_path, mode=mode)
