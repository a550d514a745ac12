"""How a commis, or a run of a concierge, can stand; the one place that says which ways there are.

A newer version may write others. A reader shows those as they are and takes them for an end.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

CommisStatus: TypeAlias = Literal[
    "running", "success", "failed", "interrupted", "cancelled", "timeout", "lost"
]
"""How a commis stands. `lost` is decided by a reader and never written."""

STATUSES: tuple[CommisStatus, ...] = get_args(CommisStatus)

UNENDED = frozenset({"running", "lost"})
"""It has not written down its end, so that its totals are not written either."""

UNFINISHED = UNENDED | {"interrupted"}
"""It has not ended, so that its result may still come or never will."""

FAILED = frozenset({"failed", "timeout", "cancelled", "lost"})
"""It did not come to what it was for."""
