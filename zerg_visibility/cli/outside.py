"""Runs outside of any commis: those of the concierge, and of graphs that nobody wrapped."""

from __future__ import annotations

import os

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.store.layout import CONCIERGE, METRICS


def count_runs_outside(store: CommisStore) -> int:
    """Count the root runs that left calls outside of any commis.

    Raises:
        OSError: It may not be read which there are.
    """
    try:
        with os.scandir(store.root / CONCIERGE) as entries:
            return sum(entry.is_dir(follow_symlinks=False) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return 0


def metrics_outside(store: CommisStore) -> str:
    """Say where their calls are, as a pattern for a shell."""
    return f"{store.root / CONCIERGE}/*/{METRICS}"
