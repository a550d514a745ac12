import os
from pathlib import Path

from zerg_visibility.demo.inspection import list_files


def names(folder: Path, skip: Path = Path("/nowhere"), **options) -> list[str]:
    return [file.name for file in list_files(folder, skip, **options).files]


def test_finds_every_regular_file_once_and_follows_no_link(known_folder):
    listing = list_files(known_folder.path, Path("/nowhere"))

    assert len(listing.files) == known_folder.files
    assert listing.folders == known_folder.folders
    assert (listing.closed_folders, listing.is_cut) == (0, False)


def test_leaves_out_the_store_that_is_being_written_to(tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "zerg-data" / "commis").mkdir(parents=True)
    (tmp_path / "zerg-data" / "commis" / "b.txt").touch()

    assert names(tmp_path, tmp_path / "zerg-data") == ["a.txt"]


def test_stops_at_its_limit_and_says_so(known_folder):
    listing = list_files(known_folder.path, Path("/nowhere"), limit=100)

    assert len(listing.files) == 100
    assert listing.is_cut


def test_exactly_as_many_files_as_the_limit_are_not_cut(tmp_path):
    (tmp_path / "a.txt").touch()

    assert list_files(tmp_path, Path("/nowhere"), limit=1).is_cut is False


def test_passes_over_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.txt").touch()

    assert names(tmp_path) == ["a.txt"]


def test_makes_names_that_a_terminal_cannot_obey(tmp_path):
    (tmp_path / "new\nline\x1b[31m.txt").touch()
    (tmp_path / "日本語 äöü.md").touch()
    (tmp_path / os.fsdecode(b"bad\xff\xfebytes")).touch()

    assert names(tmp_path) == ["bad bytes", "new line [31m.txt", "日本語 äöü.md"]


def test_an_empty_folder_has_no_files(tmp_path):
    listing = list_files(tmp_path, Path("/nowhere"))

    assert (listing.files, listing.folders) == ((), 1)
