"""What is looked at in the store as a whole."""

from __future__ import annotations

import os
import shlex
import tempfile

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.commis import LATEST
from zerg_visibility.doctor.finding import OTHER_USER, Finding, named, refused
from zerg_visibility.settings import ENV_ROOT, at_root
from zerg_visibility.store.layout import COMMIS, CONCIERGE, JOBS, job_place
from zerg_visibility.words import counted


def check_root(store: CommisStore) -> Finding:
    """See that the store is there, and can be read and written to."""
    name = "store"
    folder = root = store.root
    try:
        for folder in (root, root / COMMIS, root / JOBS):
            if folder == root or folder.is_dir():
                os.scandir(folder).close()
                # Only writing shows a full disk, a read-only mount and a quota.
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(b"\n" * 4096)
                    file.flush()
    except OSError as error:
        if not isinstance(error, FileNotFoundError) or root.exists():
            return refused(name, folder, error, "written to")
        where = (
            f"Without CommisStore(...) and ${ENV_ROOT}, a program writes to ./zerg-data in the "
            f"folder that it was started in."
        )
        cure = f"zerg-visibility demo{at_root(root)}"
        return Finding(name, "failed", f"{root} is not there.", (where,), cure)
    newest = store.newest_job()
    jobs = "no job yet" if newest == 0 else f"the latest job is {newest}"
    return Finding(name, "ok", f"{root} can be written to; {jobs}.")


def check_jobs(store: CommisStore) -> Finding:
    """See that this user may read which commis each job is; `list` leaves out the others."""
    newest = store.newest_job()
    jobs = (job_place(store.root, job) for job in range(newest, max(0, newest - LATEST), -1))
    shut = [path for path in jobs if os.path.exists(path) and not os.access(path, os.R_OK)]  # noqa: PTH110
    if not shut:
        return Finding(JOBS, "ok", "This user may read every job.")
    summary = f"This user may not read {counted(len(shut), 'job')}, which `list` leaves out."
    cure = f"ls -l {shlex.quote(shut[0])}; id"
    return Finding(JOBS, "failed", summary, (*named(shut), OTHER_USER), cure)


def check_outside(store: CommisStore) -> Finding:
    """See whether there are runs, but no commis in any of them."""
    count = len(store.concierge_ids())
    runs, command = counted(count, "concierge run"), "zerg-visibility list --runs"
    command += at_root(store.root)
    if count == 0 or store.newest_job():
        return Finding(CONCIERGE, "ok", f"{runs}: {command}")
    return Finding(
        CONCIERGE,
        "warning",
        f"{runs}, and no commis in any of them.",
        (f"Their own calls are seen with: {command}",),
        'builder.add_node("research", create_commis_node(graph, store=store))',
    )
