"""All checks: those of the store and of the log file are here."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.commis import LATEST, check_commis, examine
from zerg_visibility.doctor.finding import OTHER_USER, SETUP, Finding, State, named, refused
from zerg_visibility.doctor.trial import check_trial
from zerg_visibility.settings import DEFAULT_LOG_PATH, ENV_ROOT, LOGGER_NAME, at_root
from zerg_visibility.store.layout import COMMIS, CONCIERGE, JOBS, job_place
from zerg_visibility.words import counted

LOG_TAIL_BYTES = 1_000_000
"""So much of a log file's end is looked at."""

_LOG_FILE = "log file"


def diagnose(store: CommisStore, log: Path | None) -> Iterator[Finding]:
    """Run all checks; the log file to look at is the documented one if none is given."""
    yield check_root(store)
    yield from check_trial()
    yield check_log_file(store.root, log)
    try:
        yield check_outside(store)
    except OSError as error:
        yield refused(CONCIERGE, error.filename, error)
    try:
        jobs, examined = check_jobs(store), examine(store)
    except OSError as error:
        yield refused(JOBS, error.filename, error)
        return
    if examined or jobs.state != "ok":
        yield jobs
    if examined:
        yield from check_commis(examined)


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
    if count == 0:
        return Finding(CONCIERGE, "ok", "No concierge run yet.")
    if store.newest_job():
        return Finding(CONCIERGE, "ok", f"{runs}: {command}")
    return Finding(
        CONCIERGE,
        "warning",
        f"{runs}, and no commis in any of them.",
        (f"Their own calls are seen with: {command}",),
        'builder.add_node("research", create_commis_node(graph, store=store))',
    )


def check_log_file(root: Path, asked_for: Path | None) -> Finding:
    """See that the lines of Tier 3 reach the log file, with their fields.

    If the user asked for one, it has to be there; else it is looked for here and below the root.
    """
    paths = [asked_for] if asked_for else [Path(DEFAULT_LOG_PATH), root / DEFAULT_LOG_PATH]
    for path in paths:
        try:
            return _judged(path, _latest_line(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return refused(_LOG_FILE, path, error)
    why = "Nothing is logged until your program asks for it; --log names another file."
    state: State = "failed" if asked_for else "warning"
    return Finding(_LOG_FILE, state, f"There is no log file {paths[0]}.", (why,), SETUP)


def _latest_line(path: Path) -> bytes | None:
    # Reading a pipe could wait for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
        lines = [line for line in file.read().splitlines() if b"_complete" in line]
    return lines[-1] if lines else None


def _judged(path: Path, line: bytes | None) -> Finding:
    if line is None:
        summary = f"The end of {path} holds no line of the logger {LOGGER_NAME!r}."
        why = "Its level may be above INFO, or its lines go elsewhere."
        cure = f'import logging; logging.getLogger("{LOGGER_NAME}").setLevel(logging.INFO)'
        return Finding(_LOG_FILE, "warning", summary, (why,), cure)
    if b"event=" not in line:
        summary = f"The lines in {path} lack their fields: the formatter leaves `extra` out."
        cure = "from zerg_visibility import KeyValueFormatter; "
        cure += "handler.setFormatter(KeyValueFormatter())"
        return Finding(_LOG_FILE, "failed", summary, (line.decode("utf-8", "replace"),), cure)
    return Finding(_LOG_FILE, "ok", f"The lines in {path} carry their fields.")
