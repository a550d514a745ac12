"""The system calls of the store, past any detector of blocking calls.

`langgraph dev`, and blockbuster in somebody's tests, replace functions of `os` and `io` by ones
that raise where an event loop runs in the calling thread, lest it wait for a network there. What
the store asks of the system takes microseconds on a local disk, as a line of `logging` does; a
callback hook that runs inline cannot await, and a hop to a thread and back takes 100 µs, in which a
kill would lose the record. So the store goes on purpose to `posix`, where `os` itself has its
functions from and where no detector looks: `posix.mkdir`, never `os.mkdir` or `Path.mkdir`. It is
looked up at each call, and no function is taken out of it beforehand.
"""

from __future__ import annotations

from pathlib import Path

try:
    import posix as posix
except ImportError as error:
    raise ImportError(
        "zerg_visibility needs a POSIX system such as Linux or macOS; on Windows, run it in WSL"
    ) from error

_CHUNK_BYTES = 1_000_000


def absolute(path: Path) -> Path:
    """Give a path as it is from the root folder on, so that a later chdir moves nothing.

    A relative one stays as it is if the working directory is gone; writing to it says so.
    """
    try:
        return path if path.is_absolute() else Path(posix.getcwd()) / path
    except OSError:
        return path


def read_up_to(fd: int, limit: int | None) -> bytes:
    """Read an open file from where it stands, at most so many bytes of it."""
    parts: list[bytes] = []
    while limit is None or limit > 0:
        part = posix.read(fd, _CHUNK_BYTES if limit is None else min(limit, _CHUNK_BYTES))
        if not part:
            break
        parts.append(part)
        limit = None if limit is None else limit - len(part)
    return b"".join(parts)
