"""Processes that permissions bind, which they do not for the superuser."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import REPOSITORY

# Without these two capabilities the superuser is bound as any owner is. They are only gone for good
# if they leave the bounding set before the next exec.
_GIVE_UP = """
import ctypes, os, sys
if os.getuid() == 0:
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot give up a capability")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def bound_command(*arguments: object) -> list[str]:
    """Give the command line of a Python that may not read what has mode 0."""
    return [sys.executable, "-c", _GIVE_UP, *map(str, arguments)]


def bound_python(code: str, *arguments: object) -> str:
    """Run code that must succeed and say nothing on stderr; give its stdout."""
    done = subprocess.run(
        bound_command("-W", "error", "-c", textwrap.dedent(code), *arguments),
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@contextmanager
def closed(*paths: Path, mode: int = 0) -> Iterator[None]:
    """Files or folders that their owner may not read or enter meanwhile."""
    before = [(path, path.stat().st_mode & 0o777) for path in paths]
    for path in paths:
        path.chmod(mode)
    try:
        yield
    finally:
        for path, was in before:
            path.chmod(was)  # or a user who is no superuser could not delete it
