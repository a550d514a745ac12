"""Telling a commis at work from one whose process is gone."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass

from zerg_visibility.store.system import posix, read_up_to


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """Who is at work.

    A process id alone is given to others later, and means nothing on another host. When the process
    started is in a form only good for comparing (Linux: boot id and ticks since boot), and None
    where the system does not tell.
    """

    pid: int
    pid_started: str | None
    host: str

    def is_gone(self) -> bool:
        """Say whether this process is certainly no longer there; False on another host."""
        if self.host != socket.gethostname():
            return False
        if self.pid == os.getpid():
            return self.pid_started not in {None, _started(self.pid)}
        if self.pid_started is not None and _read("/proc/self/stat") is not None:
            return _started(self.pid) != self.pid_started
        if self.pid <= 0:
            return True  # for os.kill, a group of processes
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):  # no system has so high a number
            return True
        except OSError:
            return False
        return False


def this_process() -> ProcessMark:
    """Give the mark of the running process."""
    return _mark_of(os.getpid())


@functools.lru_cache(maxsize=4)
def _mark_of(pid: int) -> ProcessMark:
    # By pid, since a forked child inherits the cache.
    return ProcessMark(pid=pid, pid_started=_started(pid), host=socket.gethostname())


def _started(pid: int) -> str | None:
    stat = _read(f"/proc/{pid}/stat")
    if stat is None:
        return None
    # The second field is the program's name in parentheses and may hold anything, even ")".
    fields = stat.rpartition(")")[2].split()
    # Fields 3 and 22 of proc(5). A zombie has ended; only its parent has not noticed.
    if len(fields) < 20 or fields[0] in {"Z", "X"}:
        return None
    boot = _read("/proc/sys/kernel/random/boot_id") or "boot"
    return f"{boot.strip()[:8]}:{fields[19]}"


def _read(path: str) -> str | None:
    """Read a file of the system's own; None if there is none."""
    fd = None
    try:
        fd = posix.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return read_up_to(fd, 10_000).decode("utf-8", "replace")
    except OSError:  # the process may also end in between
        return None
    finally:
        if fd is not None:
            posix.close(fd)
