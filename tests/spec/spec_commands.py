"""The commands of the specification, read from a copy of it, so that none is left out."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COPY = Path(__file__).with_name("spec_commands.md")

_DEADLINE_S = 30.0


def commands() -> list[str]:
    """Every command, in order, without comments."""
    lines = _COPY.read_text(encoding="utf-8").splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    blocks = [lines[start + 1 : end] for start, end in zip(*[iter(fences)] * 2, strict=True)]
    return [line for block in blocks for line in block if line and not line.startswith("#")]


def starting_with(*programs: str) -> list[str]:
    return [command for command in commands() if command.split()[0] in programs]


def shell(command: str, folder: Path) -> str:
    """Run a command as a developer would and give what it prints."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextmanager
def terminal(command: str, folder: Path) -> Iterator[Iterator[str]]:
    """Run a command that never ends in a terminal, and give the lines that appear there.

    A terminal, since grep and awk hold output back in a pipe, but not before a developer's eyes.
    """
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    try:
        yield _lines(outer)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(outer)


def _lines(fd: int) -> Iterator[str]:
    held = b""
    while True:
        ready, _, _ = select.select([fd], [], [], _DEADLINE_S)
        assert ready, f"nothing more appeared; so far: {held!r}"
        held += os.read(fd, 65536)
        *whole, held = held.split(b"\r\n")
        yield from (line.decode() for line in whole)
