"""What `doctor` looks at in the store as a whole."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from pathlib import Path

from zerg_visibility.cli.checks import LATEST, NAMED, OTHER_USER
from zerg_visibility.cli.finding import Finding
from zerg_visibility.cli.options import at_root
from zerg_visibility.cli.outside import count_runs_outside, metrics_outside
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.settings import ENV_ROOT
from zerg_visibility.store.layout import COMMIS, CONCIERGE, JOBS, job_file
from zerg_visibility.words import counted


def check_root(store: CommisStore) -> Finding:
    """See that the store is there, and can be read and written to."""
    name, root = "store", store.root
    is_there = is_folder = False
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
        is_there = True
    except FileNotFoundError:
        pass
    except OSError as error:
        return _failed(f"{root} cannot be looked at: {error.strerror}.", root.parent)
    if not is_folder:
        return Finding(
            check=name,
            state="failed",
            summary=f"{root} is not a folder." if is_there else f"{root} is not there.",
            details=(
                f"Without CommisStore(...) and ${ENV_ROOT}, a program writes to ./zerg-data in the "
                f"folder that it was started in.",
            ),
            cure=f"ls -ld {shlex.quote(str(root))}"
            if is_there
            else f"zerg-visibility demo{at_root(root)}",
        )
    for folder in _folders(root):
        if not os.access(folder, os.R_OK | os.X_OK):
            return _failed(f"{folder} cannot be read by this user.", folder, OTHER_USER)
    try:
        for folder in _folders(root):
            _try_to_write(folder)
    except OSError as error:
        summary = f"{folder} cannot be written to: {error.strerror}."
        return _failed(summary, folder, OTHER_USER)
    return Finding(
        check=name, state="ok", summary=f"{root} can be written to; {_jobs(store.newest_job())}."
    )


def _folders(root: Path) -> list[Path]:
    # Those inside only once the root itself is known to be open.
    inside = [root / COMMIS, root / JOBS] if os.access(root, os.R_OK | os.X_OK) else []
    return [root, *(folder for folder in inside if folder.is_dir())]


def _failed(summary: str, folder: Path, *details: str) -> Finding:
    shown = shlex.quote(str(folder))
    return Finding(
        check="store",
        state="failed",
        summary=summary,
        details=details,
        cure=f"ls -ld {shown}; df -h {shown}; id",
    )


def _try_to_write(folder: Path) -> None:
    # Only writing shows a full disk, a read-only mount and a quota; permission bits do not.
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\n" * 4096)
        file.flush()


def _jobs(count: int) -> str:
    return "no job yet" if count == 0 else f"the latest job is {count}"


def check_jobs(store: CommisStore) -> Finding:
    """See that this user may read which commis each job is; `list` leaves out the others."""
    name, newest = "jobs", store.newest_job()
    shut: list[Path] = []
    for job_id in range(newest, max(0, newest - LATEST), -1):
        path = job_file(store.root, job_id)
        if path.exists() and not os.access(path, os.R_OK):
            shut.append(path)
    if not shut:
        return Finding(check=name, state="ok", summary="This user may read every job.")
    return Finding(
        check=name,
        state="failed",
        summary=f"This user may not read {counted(len(shut), 'job')}, which `list` leaves out.",
        details=(*(str(path) for path in shut[:NAMED]), OTHER_USER),
        cure=f"ls -l {shlex.quote(str(shut[0]))}; id",
    )


def check_outside(store: CommisStore) -> Finding:
    """See whether calls were made outside of any commis, which `list` and `show` leave out."""
    name, count = CONCIERGE, count_runs_outside(store)
    if count == 0:
        return Finding(check=name, state="ok", summary="No run left calls outside of a commis.")
    runs = counted(count, "run")
    where = metrics_outside(store)
    if (store.root / COMMIS).is_dir():
        return Finding(
            check=name,
            state="ok",
            summary=f"Calls outside of any commis, of {runs}, are in {where}.",
        )
    return Finding(
        check=name,
        state="warning",
        summary=f"{runs} left calls outside of any commis, and there is no commis yet.",
        details=(
            f"Their calls are in {where}.",
            "`list` and `show` show commis alone: wrap the graph to see it there.",
        ),
        cure='builder.add_node("research", create_commis_node(graph, store=store))',
    )
