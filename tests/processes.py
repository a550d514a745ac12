"""Python code in other processes, with the repository as its working directory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def start(code: str, *arguments: object, **options) -> subprocess.Popen[str]:
    """Start a process; warnings are errors there too."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def python(code: str, *arguments: object, **options) -> str:
    """Run a process that must succeed and say nothing on stderr; give its stdout."""
    out, err = succeed(code, *arguments, **options)
    assert err == ""
    return out


def python_with_faults(code: str, *arguments: object, **options) -> str:
    """Run a process in which watching fails: it must succeed and say so, a line each, on stderr."""
    out, err = succeed(code, *arguments, **options)
    said = err.splitlines()
    assert said
    assert [line for line in said if not is_warning(line)] == []
    return out


def is_warning(line: str) -> bool:
    return line.startswith("zerg_visibility could not ") and line.endswith("; the graph goes on")


def succeed(code: str, *arguments: object, **options) -> tuple[str, str]:
    """Run a process that must succeed; give its stdout and stderr."""
    process = start(code, *arguments, **options)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def all_at_once(code: str, count: int, *arguments: object) -> list[str]:
    """Run the same code in several processes; each begins its work when all have started.

    The code has to print "ready" and then wait for a line on stdin; it gets its number as the first
    argument.
    """
    processes = [start(code, number, *arguments) for number in range(count)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=60)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        results = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [err for _, err in results] == [""] * count
    return [out for out, _ in results]


@contextmanager
def running(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has printed "ready" and waits on stdin; it is killed afterwards."""
    process = start(code, *arguments)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate(timeout=60)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)
