"""Opening files of a commis by names that a model or a user gave."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from zerg_visibility.errors import FileNotInCommisError
from zerg_visibility.store.layout import relative_parts
from zerg_visibility.store.system import posix, read_up_to

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that nobody writes to would hang.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

DEPTH_MAX = 20
"""How deep folders are looked into; we make one of them."""

ID_MAX_BYTES = 1000
"""The most that is read of a file that holds an id."""

_NOT_THERE = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,  # a symbolic link
    errno.EMLINK,  # the same on FreeBSD
    errno.EISDIR,
    errno.ENXIO,  # a socket
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
}


def open_artifact(folder: Path, file_path: str) -> BinaryIO:
    """Open a regular file inside a commis's directory, by an untrusted path.

    Each part is opened relative to the one before and no symbolic link is followed, so a link that
    is swapped in between check and use changes nothing.

    Raises:
        FileNotInCommisError: There is no such regular file.
        OSError: It cannot be opened just now: too many open files, no permission, a broken disk.
    """
    parts = relative_parts(file_path)
    if parts is None:
        raise FileNotInCommisError(file_path)
    fd = _open(folder, _FOLDER, file_path)
    try:
        for part in parts[:-1]:
            inner = _open(part, _FOLDER, file_path, fd)
            posix.close(fd)
            fd = inner
        return os.fdopen(_open(parts[-1], _FILE, file_path, fd), "rb")
    finally:
        posix.close(fd)


def read_artifact(folder: Path, file_path: str, limit: int | None = None) -> bytes:
    """Read so many bytes of what `open_artifact` opens, or all."""
    with open_artifact(folder, file_path) as file:
        return read_up_to(file.fileno(), limit)


def read_id(path: str) -> str | None:
    """Read a file of the store's own that holds nothing but an id; None if it is no such file.

    Raises:
        OSError: It cannot be read just now.
    """
    try:
        fd = _open(path, _FILE, path)
    except FileNotInCommisError:
        return None
    try:
        return read_up_to(fd, ID_MAX_BYTES).decode("ascii", "replace")
    finally:
        posix.close(fd)


def _open(path: Path | str, flags: int, asked_for: str, folder_fd: int | None = None) -> int:
    try:
        fd = posix.open(path, flags, dir_fd=folder_fd)
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise FileNotInCommisError(asked_for) from error
        raise
    if flags == _FILE and not stat.S_ISREG(posix.fstat(fd).st_mode):
        posix.close(fd)
        raise FileNotInCommisError(asked_for)
    return fd


def list_artifacts(folder: Path, limit: int = 1000) -> list[str]:
    """Name the regular files of a commis, relative to its directory, sorted and so many at most."""
    return [] if folder.is_symlink() else sorted(islice(_walk(folder, ""), limit))


def _walk(folder: Path, prefix: str, depth: int = 0) -> Iterator[str]:
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    # A name that starts with a dot is a file half written.
                    if not entry.name.startswith("."):
                        yield prefix + entry.name
                elif depth < DEPTH_MAX and entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
    except OSError:
        return
    for name in folders:
        yield from _walk(folder / name, f"{prefix}{name}/", depth + 1)
