"""The stretch of time that a listing or a search looks back over."""

from __future__ import annotations

from langchain_core.tools import ToolException

from zerg_visibility.clock import SYSTEM_CLOCK

MAX_HOURS = 100_000
"""The longest that a tool looks back: eleven years."""


def window_start_us(since_hours: float) -> int:
    """Give the moment so many hours ago, in microseconds since 1970.

    Raises:
        ToolException: It is not a usable number of hours.
    """
    if not 0 < since_hours <= MAX_HOURS:  # also false for NaN
        raise ToolException(f"since_hours must be more than 0 and at most {MAX_HOURS:,}.")
    return SYSTEM_CLOCK.wall_us() - int(since_hours * 3_600_000_000)


def window_text(since_hours: float) -> str:
    """Name the stretch: `the last 24 hours`."""
    return "the last hour" if since_hours == 1 else f"the last {since_hours:g} hours"
