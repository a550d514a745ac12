"""The real `langgraph dev` on loopback, in a process group and a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

APPLICATION = Path(__file__).with_name("application.py")
GRAPHS = ("team", "asking", "waiting", "blocking", "make_graph")


class DevServer:
    """A server that was started, and is killed with all its children by `stop`.

    Args:
        folder: Its working directory, where langgraph.json is.
        environment: What it finds in its environment, besides a path.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "server.log"
        quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LOG_JSON": "true", "LOG_COLOR": "false"}
        command = ["-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **quiet, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, within_s: float = 60) -> None:
        """Wait until it answers.

        Raises:
            AssertionError: It ended, or does not answer in time.
        """
        deadline = time.monotonic() + within_s
        while True:
            assert self._process.poll() is None
            try:
                httpx.get(f"{self.url}/ok").raise_for_status()
                return
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def stop(self) -> None:
        """End it, gracefully if it can."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def log(self) -> str:
        """All it has said so far."""
        return self._log.read_text()

    def warnings(self, logger: str) -> list[str]:
        """Give what a logger said above INFO."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        assert lines, self.log
        ours = [line for line in lines if line.get("logger") == logger]
        return [line["event"] for line in ours if line["level"] not in {"debug", "info"}]

    def stats(self) -> list[dict[str, Any]]:
        """Ask the application what its handlers have done."""
        answer: list[dict[str, Any]] = httpx.get(f"{self.url}/stats").raise_for_status().json()
        return answer


def application(folder: Path, **env: str) -> Path:
    """Write what is served: the application, and a langgraph.json with an environment."""
    folder.mkdir()
    shutil.copy(APPLICATION, folder)
    served = {
        "dependencies": ["."],
        "graphs": {name: f"./{APPLICATION.name}:{name}" for name in GRAPHS},
        "env": env,
        "http": {"app": f"./{APPLICATION.name}:app"},
    }
    (folder / "langgraph.json").write_text(json.dumps(served))
    return folder


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[DevServer]:
    """A server while the block runs; what it has logged is printed if the block fails."""
    server = DevServer(folder, **environment)
    try:
        server.wait_until_ready()
        yield server
    except BaseException:
        print(server.log)
        raise
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
