"""The two clocks: a wall clock for timestamps, a monotonic one for durations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where times come from; replaced in tests.

    Args:
        wall_ns: Nanoseconds since 1970-01-01 UTC. May jump.
        monotonic_ns: Nanoseconds since some fixed point. Never jumps.
    """

    wall_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.perf_counter_ns

    def wall_us(self) -> int:
        """Give the wall clock in microseconds since 1970-01-01 UTC."""
        return self.wall_ns() // 1000


SYSTEM_CLOCK = Clock()


def never_failing(clock: Clock, note: Callable[[Exception], None]) -> Clock:
    """Give a clock that answers with the time it read last if the one inside raises."""
    if clock is SYSTEM_CLOCK:
        return clock

    def guarded(read: Callable[[], int], at_first: int) -> Callable[[], int]:
        latest = [at_first]

        def answer() -> int:
            try:
                latest[0] = read()
            except Exception as error:
                note(error)
            return latest[0]

        return answer

    return Clock(guarded(clock.wall_ns, time.time_ns()), guarded(clock.monotonic_ns, 0))


def format_us(us: int) -> str:
    """Write microseconds since 1970 as an ISO 8601 timestamp in UTC, always with six decimals."""
    second, micros = divmod(us, 1_000_000)
    return f"{_second_text(second)}.{micros:06d}Z"


@lru_cache(maxsize=1024)
def _second_text(second: int) -> str:
    """Write a whole second, which many events begin or end in: making it is what costs."""
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]


def parse_us(text: str) -> int:
    """Read an ISO 8601 timestamp, of UTC if it has no offset, as microseconds since 1970.

    Raises:
        ValueError: It is not an ISO 8601 timestamp, or in UTC not within the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return (moment.astimezone(UTC) - _EPOCH) // _MICROSECOND
    except OverflowError as error:
        raise ValueError(f"{text} has no form in UTC") from error


def format_for_name(us: int) -> str:
    """Write microseconds since 1970 as the UTC prefix of a commis id: 2025-12-15T04-08-08."""
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H-%M-%S")


def moment_in_name(own_id: str) -> int | None:
    """Read the prefix of a commis id or concierge id as microseconds since 1970, if it is one."""
    day, _, clock = own_id[:19].partition("T")
    try:
        return parse_us(f"{day}T{clock.replace('-', ':')}")
    except ValueError:
        return None
