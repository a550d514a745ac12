from pathlib import Path

import pytest

from tests.processes import all_at_once, python, running
from zerg_visibility.store.appending import MAX_OPEN_FILES, AppendFile
from zerg_visibility.store.files import FileModes


def appender(path) -> AppendFile:
    return AppendFile(path, FileModes())


def test_lines_are_there_when_append_returns(tmp_path):
    file = appender(tmp_path / "new" / "folder" / "a.jsonl")
    file.append(b"one\n")
    assert file.path.read_bytes() == b"one\n"
    file.append(b"two\n")
    assert file.path.read_bytes() == b"one\ntwo\n"
    file.close()
    file.close()
    file.append(b"three\n")
    assert file.path.read_bytes() == b"one\ntwo\nthree\n"
    file.close()


def test_an_unfinished_line_is_ended_by_the_next_writer(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":')
    file = appender(path)
    file.append(b'{"a":3}\n')
    file.append(b'{"a":4}\n')
    file.close()
    assert path.read_bytes() == b'{"a":1}\n{"a":\n{"a":3}\n{"a":4}\n'


def test_a_file_that_was_deleted_is_made_anew(tmp_path):
    file = appender(tmp_path / "folder" / "a.jsonl")
    file.append(b"lost\n")
    file.path.unlink()
    file.path.parent.rmdir()
    for _ in range(1_000_000):  # that it is gone is noticed within 20 ms
        file.append(b"kept\n")
        if file.path.exists():
            break
    file.close()
    assert file.path.read_bytes() == b"kept\n"


def test_more_files_than_may_be_open_at_once(tmp_path):
    files = [appender(tmp_path / f"{number}.jsonl") for number in range(3 * MAX_OPEN_FILES)]
    before = open_handles()
    for turn in (b"one\n", b"two\n"):
        for file in files:
            file.append(turn)
            assert open_handles() - before <= MAX_OPEN_FILES
    assert {file.path.read_bytes() for file in files} == {b"one\ntwo\n"}
    for file in files:
        file.close()
    assert open_handles() <= before


def open_handles() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_two_processes_interleave_whole_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    code = """
        import sys
        from pathlib import Path
        from zerg_visibility.store.appending import AppendFile
        from zerg_visibility.store.files import FileModes
        file = AppendFile(Path(sys.argv[2]), FileModes())
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(1000):
            file.append(f"{sys.argv[1]} {number} {'x' * (number % 500)}\\n".encode())
    """
    all_at_once(code, 2, path)
    lines = path.read_text().splitlines()
    expected = [f"{who} {n} {'x' * (n % 500)}" for who in (0, 1) for n in range(1000)]
    assert sorted(lines) == sorted(expected)
    for who in ("0", "1"):
        own = [int(line.split()[1]) for line in lines if line.startswith(f"{who} ")]
        assert own == list(range(1000))


def test_nothing_is_lost_when_the_process_is_killed(tmp_path):
    path = tmp_path / "a.jsonl"
    code = """
        import sys
        from pathlib import Path
        from zerg_visibility.store.appending import AppendFile
        from zerg_visibility.store.files import FileModes
        file = AppendFile(Path(sys.argv[1]), FileModes())
        for number in range(100):
            file.append(f"{number}\\n".encode())
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with running(code, path) as process:
        process.kill()
        process.wait()
    assert path.read_text().split() == [str(number) for number in range(100)]


def test_a_line_that_did_not_fit_hides_no_neighbour(tmp_path):
    # A file size limit stands for a full disk: the kernel writes what fits, then refuses.
    path = tmp_path / "a.jsonl"
    out = python(
        """
        import resource, signal, sys
        from pathlib import Path
        from zerg_visibility.store.appending import AppendFile
        from zerg_visibility.store.files import FileModes
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        file = AppendFile(Path(sys.argv[1]), FileModes())
        file.append(b"first\\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        for _ in range(2):
            try:
                file.append(b"second line\\n")
            except OSError as error:
                print(error.strerror)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        file.append(b"third\\n")
        file.append(b"fourth\\n")
        """,
        path,
    )
    assert out == "only part of a line could be written\nFile too large\n"
    assert path.read_bytes() == b"first\nseco\nthird\nfourth\n"


def test_a_path_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        appender(tmp_path / "file" / "a.jsonl").append(b"x\n")


def test_a_line_of_another_process_that_is_just_being_written_is_not_taken_for_a_torn_one(tmp_path):
    path = tmp_path / "lines"
    code = """
        import sys
        from pathlib import Path
        from zerg_visibility.store.appending import AppendFile
        from zerg_visibility.store.files import FileModes
        file = AppendFile(Path(sys.argv[2]), FileModes())
        line = sys.argv[1].encode() * 100_000 + b"\\n"
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(300):
            file.append(line)
            file.close()
    """
    all_at_once(code, 3, path)
    lines = path.read_bytes().splitlines()
    assert sorted((line[:1], len(line)) for line in lines) == sorted(
        (who, 100_000) for who in (b"0", b"1", b"2") for _ in range(300)
    )
