"""All checks, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.doctor.commis import check_commis, examine
from zerg_visibility.doctor.finding import Finding, refused
from zerg_visibility.doctor.logfile import check_log_file
from zerg_visibility.doctor.store import check_jobs, check_outside, check_root
from zerg_visibility.doctor.trial import check_trial
from zerg_visibility.store.layout import CONCIERGE, JOBS


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
