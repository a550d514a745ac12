import hashlib
from pathlib import Path

import pytest

from zerg_visibility.demo import inspection
from zerg_visibility.demo.listing import Listing, list_files


@pytest.fixture(scope="module")
def listing(known_folder) -> Listing:
    return list_files(known_folder.path, Path("/nowhere"))


def files_in(folder: Path) -> Listing:
    return list_files(folder, Path("/nowhere"))


def test_disk_use_adds_up_what_is_there(known_folder, listing):
    found = inspection.disk_use_by_type(listing)

    assert found["files"] == known_folder.files
    assert found["bytes"] == known_folder.total_bytes
    assert found["types"] == 4
    assert found["by_type"][0] == {"type": ".bin", "files": 1, "bytes": 500_000}
    assert sum(item["bytes"] for item in found["by_type"]) == known_folder.total_bytes


def test_the_largest_files_come_by_size_then_name(listing):
    assert inspection.largest_files(listing)["largest"] == [
        {"file": "largest.bin", "bytes": 500_000},
        {"file": "copy-one.dat", "bytes": 20_000},
        {"file": "copy-three.dat", "bytes": 20_000},
        {"file": "copy-two.dat", "bytes": 20_000},
        {"file": "linked-again.dat", "bytes": 15_000},
    ]


def test_duplicates_are_files_of_one_content_and_nothing_else(listing):
    found = inspection.duplicate_files(listing)

    assert found["largest_groups"] == [
        {
            "bytes_each": 20_000,
            "count": 3,
            "files": ["copy-one.dat", "copy-three.dat", "copy-two.dat"],
        },
        {"bytes_each": 5_000, "count": 2, "files": ["twin-a.dat", "twin-b.dat"]},
    ]
    assert (found["groups"], found["files"], found["wasted_bytes"]) == (2, 5, 45_000)
    # The thousands of small files have seven sizes between them; the largest has one of its own.
    assert found["hashed"] == inspection.equal_sizes(listing)["candidates"] == 2405


def test_files_of_a_size_of_their_own_are_never_opened(tmp_path):
    for size in (10, 20, 30):
        (tmp_path / f"{size}.txt").write_bytes(b"x" * size)

    assert inspection.duplicate_files(files_in(tmp_path))["hashed"] == 0


def test_duplicates_beyond_the_budget_are_counted_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "MAX_HASHED_BYTES", 1000)
    for name in ("a", "b"):
        (tmp_path / f"large-{name}").write_bytes(b"x" * 600)
        (tmp_path / f"small-{name}").write_bytes(b"y" * 60)

    found = inspection.duplicate_files(files_in(tmp_path))

    assert (found["hashed"], found["not_compared"], found["groups"]) == (2, 2, 1)


def test_lines_are_counted_in_text_alone(known_folder, listing):
    found = inspection.line_counts(listing)

    assert found["lines"] == known_folder.lines
    assert (found["text_files"], found["binary_files"]) == (2402, 8)
    assert found["longest"]["lines"] == 7


def test_an_unfinished_last_line_is_a_line(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo")

    assert inspection.line_counts(files_in(tmp_path))["lines"] == 2


def test_lines_of_a_file_longer_than_a_block(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"0123456789\n" * 300_000)

    assert inspection.line_counts(files_in(tmp_path))["lines"] == 300_000


def test_files_that_cannot_be_read_are_counted_and_named(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text("same\n")
    listing = files_in(tmp_path)
    (tmp_path / "b.txt").unlink()

    assert inspection.unreadable_files(listing)["named"] == ["b.txt"]
    assert inspection.line_counts(listing)["unreadable"] == 1
    duplicates = inspection.duplicate_files(listing)
    assert (duplicates["unreadable"], duplicates["groups"]) == (1, 1)


def test_one_file_can_be_hashed_by_its_name(known_folder):
    found = inspection.hash_file(known_folder.path, "folder-00/file-0000.txt")

    content = (known_folder.path / "folder-00" / "file-0000.txt").read_bytes()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "missing.txt",
        "../outside.txt",
        "/etc/hostname",
        "inside/../../outside.txt",
        "link-to-outside",
        "inside",
        "",
        "nul\0.txt",
    ],
)
def test_nothing_outside_the_folder_can_be_hashed_or_told_from_what_is_missing(tmp_path, name):
    folder = tmp_path / "folder"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "outside.txt").write_text("secret")
    (folder / "link-to-outside").symlink_to(tmp_path / "outside.txt")

    with pytest.raises(FileNotFoundError, match="no such file in the folder"):
        inspection.hash_file(folder, name)
