from pathlib import Path

import pytest

from zerg_visibility.demo import inspection
from zerg_visibility.demo.inspection import Listing, list_files
from zerg_visibility.words import size


@pytest.fixture(scope="module")
def listing(known_folder) -> Listing:
    return list_files(known_folder.path, Path("/nowhere"))


def files_in(folder: Path) -> Listing:
    return list_files(folder, Path("/nowhere"))


def test_disk_use_adds_up_what_is_there(known_folder, listing):
    found = inspection.disk_use_by_type(listing)

    assert found.startswith(
        f"{known_folder.files:,} files in 41 folders hold {size(known_folder.total_bytes)}: "
        ".bin 500.0 kB, "
    )
    assert found.count(" kB, ") == 3


def test_a_listing_that_was_cut_says_so(known_folder):
    cut = list_files(known_folder.path, Path("/nowhere"), limit=10)

    assert inspection.disk_use_by_type(cut).startswith("The first 10 files in ")


def test_the_largest_files_come_by_size_then_name(listing):
    assert inspection.largest_files(listing) == (
        "Largest: largest.bin (500.0 kB), copy-one.dat (20.0 kB), copy-three.dat (20.0 kB)."
    )


def test_duplicates_are_files_of_one_content_and_nothing_else(listing):
    assert inspection.duplicate_files(listing) == (
        "Identical files: 2 groups, wasting 45.0 kB; most of it copy-one.dat = copy-three.dat "
        "and 1 more (20.0 kB each)."
    )


def test_files_of_a_size_of_their_own_are_never_opened(tmp_path):
    for length in (10, 20, 30):
        (tmp_path / f"{length}.txt").write_bytes(b"x" * length)
    listing = files_in(tmp_path)
    for file in listing.files:
        Path(file.path).unlink()

    assert inspection.duplicate_files(listing) == "No two files have the same content."


def test_duplicates_beyond_the_budget_are_counted_not_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"large-{name}").write_bytes(b"x" * 600)
        (tmp_path / f"small-{name}").write_bytes(b"y" * 60)

    assert inspection.duplicate_files(files_in(tmp_path), max_bytes=1000) == (
        "Identical files: 1 group, wasting 60 bytes; most of it small-a = small-b "
        "(60 bytes each). 1 file could not be compared."
    )


def test_lines_are_counted_in_text_alone(known_folder, listing):
    found = inspection.line_counts(listing)

    assert found.startswith(f"2,402 text files hold {known_folder.lines:,} lines: .py ")
    assert found.endswith(" (7). 8 other files not counted.")


def test_text_beyond_the_budget_is_not_read(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("one\n" * 100)

    assert inspection.line_counts(files_in(tmp_path), max_bytes=100) == (
        "1 text file holds 1 line: .txt 1. Longest: a.txt (1). 1 other file not counted."
    )


@pytest.mark.parametrize(
    ("content", "lines"),
    [(b"one\ntwo", 2), (b"one\ntwo\n", 2), (b"", 0), (b"0123456789\n" * 300_000, 300_000)],
    ids=["an unfinished last line", "whole lines", "empty", "longer than a block"],
)
def test_lines_of_one_file(tmp_path, content, lines):
    (tmp_path / "a.txt").write_bytes(content)

    assert f": .txt {lines:,}." in inspection.line_counts(files_in(tmp_path))


def test_files_that_cannot_be_read_are_counted_and_named(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text("same\n")
    listing = files_in(tmp_path)
    (tmp_path / "b.txt").unlink()

    assert inspection.unreadable_files(listing) == "1 of 3 files cannot be read: b.txt."
    assert inspection.line_counts(listing).endswith("1 other file not counted.")
    assert inspection.duplicate_files(listing).endswith(" 1 file could not be compared.")


def test_the_first_unreadable_file_is_hashed_and_what_the_system_says_is_raised(tmp_path):
    (tmp_path / "a.txt").write_text("readable")
    (tmp_path / "b.txt").write_text("gone")
    listing = files_in(tmp_path)
    (tmp_path / "b.txt").unlink()

    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        inspection.hash_file(listing)


def test_without_one_a_file_is_hashed_that_is_not_there(known_folder, listing):
    with pytest.raises(FileNotFoundError, match=r"no such file .*: missing-on-purpose\.txt"):
        inspection.hash_file(listing)
