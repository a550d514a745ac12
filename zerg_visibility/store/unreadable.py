"""What is known of a commis whose metadata.json cannot be read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from zerg_visibility.clock import format_us, moment_in_name
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.store.system import posix

NEWBORN_S = 10.0
"""A commis without a metadata.json is taken as just beginning for so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnreadCommis(CommisMetadata):
    """What its directory tells of a commis; why no more is known is its error."""

    readable: ClassVar[bool] = False


def stub(folder: Path, commis_id: str, job_id: int | None, error: str) -> CommisMetadata:
    """Say of a commis what its directory tells: `running` if it is just being born, else `lost`."""
    created_us = moment_in_name(commis_id)
    return UnreadCommis(
        commis_id=commis_id,
        job_id=job_id,
        name="?",
        status="running" if _is_newborn(folder, created_us) else "lost",
        created_at=None if created_us is None else format_us(created_us),
        error=error,
    )


def _is_newborn(folder: Path, created_us: int | None) -> bool:
    # By its name, since every file that comes or goes renews the modification time of the folder.
    if created_us is None or abs(time.time() - created_us / 1e6) > NEWBORN_S:
        return False
    try:
        names = posix.listdir(folder)
    except OSError:
        return False
    # metadata.json is its first file; with a dot begins the name under which that is written.
    return all(name.startswith(".") for name in names)
