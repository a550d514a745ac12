"""Writing whole files, so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from zerg_visibility.store.system import posix

FileVersion: TypeAlias = tuple[int, int]
"""Its inode and when it was last written to, in nanoseconds since 1970."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

_temporary_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class FileModes:
    """Permissions for files and folders that are created; the umask narrows them further."""

    file: int = 0o666
    folder: int = 0o777

    @classmethod
    def for_files(cls, mode: int | None) -> FileModes:
        """Derive both modes from that of files: who may read a file may enter its folder."""
        if mode is None:
            return cls()
        return cls(file=mode, folder=mode | 0o300 | ((mode & 0o444) >> 2))


def make_folder(path: Path | str, modes: FileModes) -> None:
    """Create a folder and its parents, each with the given mode."""
    try:
        posix.mkdir(path, modes.folder)
    except FileExistsError:
        pass
    except FileNotFoundError:
        # Path.mkdir(parents=True) would give the parents the default mode.
        make_folder(Path(path).parent, modes)
        with contextlib.suppress(FileExistsError):  # another process was quicker
            posix.mkdir(path, modes.folder)


def write_new(path: Path | str, data: bytes, modes: FileModes) -> None:
    """Create a file that must not exist yet, with its folders, and write it."""
    try:
        fd = posix.open(path, _NEW, modes.file)
    except FileNotFoundError:
        make_folder(Path(path).parent, modes)
        fd = posix.open(path, _NEW, modes.file)
    try:
        view = memoryview(data)
        while view:
            view = view[posix.write(fd, view) :]
    finally:
        posix.close(fd)


def replace_file(path: Path | str, data: bytes, modes: FileModes) -> FileVersion | None:
    """Write a whole file through a temporary name and a rename.

    A reader sees the old file or the new one. There is no fsync: after a power cut the old one may
    be back, which for metrics is the better side of the bargain (an fsync costs 100 times more).
    Gives what tells it from a file that somebody else puts there later, if that can be told.
    """
    # Absolute, since the rename must find both names in one folder even if the process moves on.
    folder, _, name = os.fspath(path).rpartition("/")
    temporary = f"{folder}/.{name}.{os.getpid()}.{next(_temporary_numbers)}.tmp"
    try:
        write_new(temporary, data, modes)
        version = file_version(temporary)
        posix.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            posix.unlink(temporary)
        raise
    return version


def file_version(path: Path | str) -> FileVersion | None:
    """Tell the file that is at a path now from others; None if it cannot be looked at."""
    try:
        found = posix.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
