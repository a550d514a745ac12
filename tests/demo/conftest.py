import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from zerg_visibility import CommisStore

REPOSITORY = Path(__file__).parents[2]
SMALL_FILES = 2400


@dataclass(frozen=True)
class KnownFolder:
    """A folder of some thousand files, and what is true of it."""

    path: Path
    files: int
    folders: int
    total_bytes: int
    lines: int


@pytest.fixture(scope="session")
def known_folder(tmp_path_factory: pytest.TempPathFactory) -> KnownFolder:
    top = tmp_path_factory.mktemp("known")
    lines = 0
    for number in range(SMALL_FILES):
        folder = top / f"folder-{number % 40:02d}"
        folder.mkdir(exist_ok=True)
        count = 1 + number % 7
        lines += count
        suffix = ".py" if number % 3 else ".txt"
        (folder / f"file-{number:04d}{suffix}").write_text(f"line of {number:04d}\n" * count)
    (top / "largest.bin").write_bytes(b"\0" * 500_000)
    for copy in ("one", "two", "three"):
        (top / f"copy-{copy}.dat").write_bytes(b"\0same" * 4000)
    (top / "twin-a.dat").write_bytes(b"\0twin" * 1000)
    (top / "twin-b.dat").write_bytes(b"\0twin" * 1000)
    (top / "linked.dat").write_bytes(b"\0link" * 3000)
    os.link(top / "linked.dat", top / "linked-again.dat")
    (top / "nothing-a.txt").touch()
    (top / "nothing-b.txt").touch()
    (top / "to-nowhere").symlink_to(top / "not-there")
    (top / "to-itself").symlink_to(top)
    found = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return KnownFolder(
        path=top,
        files=len(found),
        folders=41,
        total_bytes=sum(path.stat().st_size for path in found),
        lines=lines,
    )


class Screen:
    """A console whose output can be read."""

    def __init__(self, width: int = 80) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=width, markup=False, highlight=False)

    @property
    def text(self) -> str:
        return self.file.getvalue()

    @property
    def words(self) -> str:
        """The text without line breaks, which depend on the width."""
        return " ".join(self.text.split())


@pytest.fixture
def screen() -> Screen:
    return Screen()


def demo(*arguments: object, cwd: Path, python: tuple[str, ...] = (), **environment: str):
    """Run the demo as a process of its own, every warning an error."""
    return subprocess.run(
        [
            sys.executable,
            *("-W", "error"),
            *(python or ("-m", "zerg_visibility")),
            *map(str, ("demo", *arguments)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "80",
            **environment,
        },
    )


def raw_records(store: CommisStore, commis_id: str) -> list[dict[str, Any]]:
    lines = (store.folder(commis_id) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def concierge_records(store: CommisStore) -> list[dict[str, Any]]:
    files = sorted((store.root / "concierge").glob("*/metrics.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def bash():
    """Run a line as it stands, as somebody who pastes it into a shell."""

    def run(line: str, cwd: Path) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        assert (done.returncode, done.stderr) == (0, ""), line
        return done.stdout

    return run
