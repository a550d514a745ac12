"""The commands that show more of a demo, fit to be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from zerg_visibility.settings import default_root
from zerg_visibility.store.layout import COMMIS, METRICS
from zerg_visibility.store.metadata import CommisMetadata

PROGRAM = "zerg-visibility"


def commands_to_look_further(
    root: Path, job: CommisMetadata, metrics: Path, log_file: Path
) -> list[str]:
    """Give command lines that work where the demo was started.

    Args:
        root: The store's root.
        job: The commis to look at.
        metrics: Its metrics.jsonl.
        log_file: Tier 3's file.
    """
    program = _program()
    # Left out where the command would find the store by itself.
    at = "" if root == default_root().absolute() else f" --root {quoted(root)}"
    log = quoted(log_file)
    everything = f"{quoted(root / COMMIS)}/*/{METRICS}"
    failed = "'select(.event==\"tool_call\" and .success==false)'"
    return [
        f"{program} list{at}",
        f"{program} show {job.job_id or job.commis_id}{at}",
        f"{program} tail --from-start{at}",
        f"{program} doctor --log {log}{at}",
        f"jq -s 'sort_by(.duration_ms) | reverse | .[0:5]' {quoted(metrics)}",
        f"jq -c {failed} {everything}",
        f"grep tool_call_complete {log} | grep success=False",
        f"grep {quoted(f'commis_id={job.commis_id}')} {log}",
    ]


def near(path: Path) -> str:
    """Write a path as it can be said from here: relative if it lies below, else absolute."""
    relative = os.path.relpath(path)
    return os.fspath(path) if Path(relative).parts[:1] == (os.pardir,) else relative


def quoted(path: Path | str) -> str:
    """Write a path, or a word, so that a shell takes it as one word."""
    return shlex.quote(near(path) if isinstance(path, Path) else path)


def _program() -> str:
    found = shutil.which(PROGRAM)
    if found:
        # `uv run` puts it on the path of what it runs, not on that of the shell it is typed into,
        # and would first install what only the development of a project needs.
        return quoted(Path(found)) if os.environ.get("UV_RUN_RECURSION_DEPTH") else PROGRAM
    # Run from a source tree, or in an environment that is not active.
    python = shutil.which("python")
    known = python is not None and Path(python) == Path(sys.executable)
    return f"{'python' if known else shlex.quote(sys.executable)} -m zerg_visibility"
