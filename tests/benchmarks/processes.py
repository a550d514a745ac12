"""A process for each contender, so that none sees what another one patched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import (
    CONTENDERS,
    DEFAULT,
    ENVIRONMENT,
    GENAI_CONTENT,
    MODULES,
    OURS,
)
from tests.benchmarks.sink import Sink, serve

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = (
    "LANG",
    "PYTHONDONTWRITE",
    "OTEL_",
    "TRACELOOP",
    "ZERG_",
    "HTTP",
    "http",
    "ALL_PROXY",
    "all_proxy",
)


def clean_environment() -> dict[str, str]:
    """Give the environment without what would change how somebody else's machine measures."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    return {**kept, "NO_PROXY": "*", "LANG": "C.UTF-8"}


def command(mode: str, name: str, sink: Sink, folder: str, **arguments: Any) -> dict[str, Any]:
    """Give the arguments for `subprocess` that start one contender."""
    environment = clean_environment() | ENVIRONMENT.get(name, {})
    given = json.dumps({"url": sink.url, "folder": folder, **arguments})
    return {
        "args": [sys.executable, "-m", "tests.benchmarks.child", mode, name, given],
        "cwd": ROOT,
        "env": environment,
    }


def ask(mode: str, name: str, **arguments: Any) -> tuple[Any, int]:
    """Measure one thing in a process of its own; give what it says and the calls that arrived."""
    with serve(keeping=mode == "burst") as sink, tempfile.TemporaryDirectory() as folder:
        process = command(mode, name, sink, folder, **arguments)
        done = subprocess.run(**process, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        return found, written(folder) if name in {OURS, DEFAULT} else sink.calls()


def written(folder: str) -> int:
    """Count the calls in the metrics.jsonl of all commis."""
    files = Path(folder).glob("zerg-data/commis/*/metrics.jsonl")
    return sum(file.read_bytes().count(b"_call") for file in files)


def installed(quick: bool, parts: list[str]) -> Iterator[str]:
    """Name the contenders whose packages are there; the quick run leaves out two variants.

    Args:
        quick: Whether this is the quick run.
        parts: Only those with one of these in their name.
    """
    for name in CONTENDERS:
        if not any(part in name for part in parts):
            continue
        if quick and name in {DEFAULT, GENAI_CONTENT}:
            continue
        if all(_is_there(module) for module in MODULES.get(name, ())):
            yield name
        else:
            print(f"left out, since it is not installed: {name}", file=sys.stderr)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
