"""HandlerStats: what a handler has done so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStats:
    """What a handler has done so far.

    Args:
        records: Finished records.
        dropped_records: Those of them that could not be written.
        failures: How often watching failed, whatever the reason.
        late_ends: Calls that ended after they had been recorded as cancelled or timed out.
        open_runs: Runs that have started and not ended yet.
    """

    records: int
    dropped_records: int
    failures: int
    late_ends: int
    open_runs: int
