"""Reading a file of lines that grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerg_visibility.store.reading import MAX_LINE_BYTES


class LineCursor:
    """Reads the whole lines that were appended to a file since it was last read.

    A file that shrank, vanished or was replaced is read anew; an unfinished last line waits.

    Args:
        path: The file; it need not exist yet.
        at_end: Whether to pass over what is in it now.
    """

    def __init__(self, path: Path, *, at_end: bool = False) -> None:
        self._path = path
        self._offset = 0
        self._inode: int | None = None
        if at_end:
            for _ in self.new_lines():
                pass

    def new_lines(self) -> Iterator[bytes]:
        """Yield the new lines; one of more than 10 MB comes in pieces."""
        try:
            status = self._path.stat()
        except OSError:
            self._offset = 0
            return
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._offset, self._inode = 0, status.st_ino
        if status.st_size == self._offset:
            return
        try:
            file = self._path.open("rb")
        except OSError:
            return
        with file:
            file.seek(self._offset)
            while line := file.readline(MAX_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
                    return
                self._offset += len(line)
                yield line
