"""A clean environment for every test: no settings from outside, no network, no leftovers."""

import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FOREIGN_SETTINGS = ("ZERG_VISIBILITY", "OPENAI_", "LANGSMITH_", "LANGCHAIN_")

# Before the package is imported, since it reads its switch then.
for _name in [name for name in os.environ if name.startswith(FOREIGN_SETTINGS)]:
    del os.environ[_name]

from zerg_visibility import CommisStore, MemorySink, VisibilityCallbackHandler  # noqa: E402
from zerg_visibility.testing import FakeClock  # noqa: E402


@pytest.fixture(autouse=True)
def _no_foreign_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith(FOREIGN_SETTINGS)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch):
    """Fail loudly on an attempt to reach another machine; servers of the tests' own are fine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(sock: socket.socket, address) -> None:
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0]
            if not (host.startswith("127.") or host in {"localhost", "::1"}):
                raise RuntimeError(f"a test tried to reach {host}")

    def guarded(sock, address):
        check(sock, address)
        return connect(sock, address)

    def guarded_ex(sock, address):
        check(sock, address)
        return connect_ex(sock, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """Undo what a test does to the logger of Tier 3, and close its files."""
    logger = logging.getLogger("zerg_visibility")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield
    for handler in list(logger.handlers):
        if handler not in handlers:
            logger.removeHandler(handler)
            handler.close()
    for handler in handlers:
        if handler not in logger.handlers:
            logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


@pytest.fixture
def store(tmp_path: Path) -> CommisStore:
    return CommisStore(tmp_path / "data")


@pytest.fixture
def let_pass(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass in this process, as far as anybody asks for the time."""

    def let_pass(seconds: float) -> None:
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + seconds)

    return let_pass


@pytest.fixture
def memory_sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def handler(store: CommisStore, memory_sink: MemorySink) -> Iterator[VisibilityCallbackHandler]:
    """Watches with the real clock; a bug of ours fails the test, and so does a leaked run."""
    handler = VisibilityCallbackHandler(store, sinks=[memory_sink], raise_error=True)
    yield handler
    assert handler.open_runs == 0


@pytest.fixture
def clocked_handler(
    store: CommisStore, memory_sink: MemorySink, clock: FakeClock
) -> Iterator[VisibilityCallbackHandler]:
    """The same with a clock that is moved by hand."""
    handler = VisibilityCallbackHandler(store, sinks=[memory_sink], clock=clock, raise_error=True)
    yield handler
    assert handler.open_runs == 0


@pytest.fixture(scope="session")
def jq_on_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """See to it that shells find a `jq`: the system's, else one made of jq's Python bindings."""
    if shutil.which("jq"):
        yield
        return
    folder = tmp_path_factory.mktemp("bin")
    script = Path(__file__).parent / "spec" / "jq_from_bindings.py"
    command = folder / "jq"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    command.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    yield
    os.environ["PATH"] = before
