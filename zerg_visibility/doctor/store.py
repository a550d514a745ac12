"""What is looked at in the store as a whole."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from pathlib import Path

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.commis import LATEST
from zerg_visibility.doctor.finding import OTHER_USER, Finding, named
from zerg_visibility.settings import ENV_ROOT, at_root
from zerg_visibility.store.layout import COMMIS, CONCIERGE, JOBS, job_file
from zerg_visibility.words import counted


def check_root(store: CommisStore) -> Finding:
    """See that the store is there, and can be read and written to."""
    name, root = "store", store.root
    where = (
        f"Without CommisStore(...) and ${ENV_ROOT}, a program writes to ./zerg-data in the folder "
        f"that it was started in.",
    )
    folder = root
    try:
        if not stat.S_ISDIR(root.stat().st_mode):
            cure = f"ls -ld {shlex.quote(str(root))}"
            return Finding(name, "failed", f"{root} is not a folder.", where, cure)
        for folder in (root, root / COMMIS, root / JOBS):
            if folder.is_dir():
                os.scandir(folder).close()
                # Only writing shows a full disk, a read-only mount and a quota.
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(b"\n" * 4096)
                    file.flush()
    except FileNotFoundError:
        if not root.exists():
            cure = f"zerg-visibility demo{at_root(root)}"
            return Finding(name, "failed", f"{root} is not there.", where, cure)
        return _closed(folder, "No such file or directory")
    except OSError as error:
        return _closed(folder, error.strerror)
    newest = store.newest_job()
    jobs = "no job yet" if newest == 0 else f"the latest job is {newest}"
    return Finding(name, "ok", f"{root} can be written to; {jobs}.")


def check_jobs(store: CommisStore) -> Finding:
    """See that this user may read which commis each job is; `list` leaves out the others."""
    newest = store.newest_job()
    jobs = (job_file(store.root, job) for job in range(newest, max(0, newest - LATEST), -1))
    shut = [str(path) for path in jobs if path.exists() and not os.access(path, os.R_OK)]
    if not shut:
        return Finding(JOBS, "ok", "This user may read every job.")
    return Finding(
        JOBS,
        "failed",
        f"This user may not read {counted(len(shut), 'job')}, which `list` leaves out.",
        (*named(shut), OTHER_USER),
        f"ls -l {shlex.quote(shut[0])}; id",
    )


def check_outside(store: CommisStore) -> Finding:
    """See whether there are runs, but no commis in any of them."""
    count = len(store.concierge_ids())
    runs, at = counted(count, "concierge run"), at_root(store.root)
    if count == 0:
        return Finding(CONCIERGE, "ok", "No concierge run yet.")
    if store.newest_job():
        return Finding(CONCIERGE, "ok", f"{runs}: zerg-visibility list --runs{at}")
    return Finding(
        CONCIERGE,
        "warning",
        f"{runs}, and no commis in any of them.",
        (f"Their own calls are seen with: zerg-visibility list --runs{at}",),
        'builder.add_node("research", create_commis_node(graph, store=store))',
    )


def _closed(folder: Path, reason: str | None) -> Finding:
    shown = shlex.quote(str(folder))
    summary = f"{folder} cannot be written to: {reason}."
    return Finding("store", "failed", summary, (OTHER_USER,), f"ls -ld {shown}; df -h {shown}; id")
