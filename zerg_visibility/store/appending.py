"""Files that grow by lines, so that a crash loses no finished one and none stands in another."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.store.files import FileModes, make_folder
from zerg_visibility.store.system import posix

MAX_OPEN_FILES = 64
"""Append files that one process holds open; beyond it, the longest opened is closed first."""

CHECK_AFTER_S = 0.02
"""How long a file that lines are appended to is taken to be still where it was."""

MAX_LOOKS = 100
"""At an unfinished last line; a file that grows every time has writers who finish it themselves."""

LOOK_AGAIN_AFTER_S = 0.001
"""Between two looks, where there is no better way to wait for a write."""

# A pipe that somebody put there must not hold up the graph once it is full.
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK


def _ends_in_mid_line(fd: int) -> bool:
    """Say whether a process died while it wrote the last line.

    It may as well be alive and writing just now: the beginning of a long `write` can be seen before
    its end. So an unfinished line counts only if it is still the last after all writes are over
    that were under way when it was seen.
    """
    seen = -1
    for _ in range(MAX_LOOKS):
        found = posix.fstat(fd)
        size = found.st_size
        if size == 0 or posix.pread(fd, 1, size - 1) == b"\n":
            return False
        if size == seen:
            return True
        seen = size
        try:
            # Changes nothing, but has to wait for the same lock of the file as a write.
            posix.fchmod(fd, stat.S_IMODE(found.st_mode))
        except OSError:  # somebody else's file
            select.select((), (), (), LOOK_AGAIN_AFTER_S)
    return False


def _partly_written(path: Path) -> OSError:
    return OSError(errno.ENOSPC, "only part of a line could be written", str(path))


class AppendFile(ForkSafe):
    """A file that grows by whole lines, one `write` each.

    Safe to use from several threads, and beside other processes that append to the same file.
    Opened at first use, together with missing folders; closed when too many are open; opened anew
    when it was deleted or moved away, which is looked for every 20 ms. What is written in between
    goes where the rest of the file went.
    """

    _checked_at = 0.0
    _fd: int | None = None
    _identity = (0, 0)
    _torn = False
    _busy = False
    _closing = False

    def __init__(self, path: Path, modes: FileModes) -> None:
        super().__init__()
        self.path = path
        self._place = str(path)  # which system calls take three times as fast
        self.modes = modes

    def append(self, line: bytes) -> None:
        """Write one line, ended by a newline, in one system call.

        Raises:
            OSError: It could not be written whole. What got through is ended as a line of its own
                by the next call, so that it hides no neighbour.
        """
        with self._lock:
            if self._busy:
                # The garbage collector has come in between, and ended a stream that writes here.
                self._append_apart(line)
                return
            self._busy = True
            try:
                fd = self._fd
                now = time.monotonic()
                if fd is None:
                    fd = self._open()
                elif now - self._checked_at >= CHECK_AFTER_S:
                    self._checked_at = now
                    if not self._is_at_path():
                        fd = self._open()
                written = posix.write(fd, b"\n" + line if self._torn else line)
                expected = len(line) + self._torn
                if written == expected:
                    self._torn = False
                    return
                self._torn = self._torn or written > 0
            finally:
                self._busy = False
                if self._closing:
                    self.close()
            raise _partly_written(self.path)

    def close(self) -> None:
        """Close the file; appending opens it again."""
        with self._lock:
            self._closing = self._busy
            if self._closing:
                return
            self._close()
            # Before anybody can open it again, and so be forgotten while it is open.
            _open_files.pop(id(self), None)

    def close_if_idle(self) -> bool:
        """Close the file unless it is being written to just now; say whether it is closed."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._busy:
                return False
            self._close()
        finally:
            self._lock.release()
        return True

    def after_fork(self) -> None:
        """Forget what another thread was doing with the file in the parent."""
        super().after_fork()
        self._busy = False
        self._closing = False

    def _append_apart(self, line: bytes) -> None:
        """Write a line through a handle of its own, since the usual one is in use."""
        fd = self._open_path()
        try:
            written = posix.write(fd, line)
        finally:
            posix.close(fd)
        if written != len(line):
            self._torn = self._torn or written > 0
            raise _partly_written(self.path)

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            posix.close(fd)

    def _is_at_path(self) -> bool:
        """Say whether the open file was neither deleted nor moved away."""
        try:
            there = posix.stat(self._place)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == self._identity

    def _open_path(self) -> int:
        try:
            return posix.open(self._place, _APPEND, self.modes.file)
        except FileNotFoundError:
            make_folder(self.path.parent, self.modes)
            return posix.open(self._place, _APPEND, self.modes.file)

    def _open(self) -> int:
        self._close()
        fd = self._open_path()
        try:
            found = posix.fstat(fd)
            self._torn = _ends_in_mid_line(fd)
        except BaseException:
            posix.close(fd)
            raise
        self._fd = fd
        self._identity = (found.st_dev, found.st_ino)
        self._checked_at = time.monotonic()
        _admit(self)
        return fd


# Which files are open, the longest first, so that thousands of commis share a few file handles.
# Without a lock, since each step is one of the dictionary's own, which no other thread gets into.
# In a lock the garbage collector may come in between and end a stream, which has to wait for a file
# that another thread has locked, which waits here.
_open_files: dict[int, AppendFile] = {}


def _admit(file: AppendFile) -> None:
    _open_files.pop(id(file), None)
    _open_files[id(file)] = file  # the last of them
    files = list(_open_files.values())
    for old in files[: max(0, len(files) - MAX_OPEN_FILES)]:
        if old is file:
            continue
        # Out of the table first: whoever opens it again meanwhile puts it back by itself.
        _open_files.pop(id(old), None)
        # The caller holds its own lock, so waiting for another's could deadlock.
        if not old.close_if_idle():
            _open_files[id(old)] = old
