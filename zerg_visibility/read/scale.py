"""Mapping moments to columns of a terminal, with the long waits folded away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FOLD_SHARE = 1 / 3
"""A wait is folded if it would take up more than this share of the bars."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A stretch in which no call ran, in microseconds since 1970."""

    start_us: int
    end_us: int

    @property
    def length_us(self) -> int:
        """How long it was."""
        return self.end_us - self.start_us


def waits_to_fold(
    calls: Iterable[tuple[int, int]], start_us: int, end_us: int, *, at_most: int
) -> tuple[Wait, ...]:
    """Choose the waits between calls that would squash the bars, by start.

    At most so many can be waiting; any other gap is work of the graph itself, and is shown.
    """
    waits = []
    reached = start_us
    for start, end in [*sorted(calls), (end_us, end_us)]:
        if start > reached:
            waits.append(Wait(reached, start))
        reached = max(reached, end)
    folded: list[Wait] = []
    shown_us = end_us - start_us
    for wait in sorted(waits, key=lambda item: -item.length_us)[:at_most]:
        if wait.length_us <= shown_us * FOLD_SHARE:
            break
        folded.append(wait)
        shown_us -= wait.length_us
    return tuple(sorted(folded, key=lambda item: item.start_us))


class Scale:
    """Where on a line of `width` columns a moment lies; each folded wait takes one column.

    There are at least two columns for each wait and three more.
    """

    def __init__(self, start_us: int, end_us: int, waits: Sequence[Wait], width: int) -> None:
        self.width = width
        self.fold_columns: list[int] = []
        self._pieces: list[tuple[int, int, int, int]] = []  # start, end, first column, columns
        shown_us = max(1, end_us - start_us - sum(wait.length_us for wait in waits))
        columns = width - len(waits)
        begun, passed_us, edge = start_us, 0, 0
        for number, wait in enumerate((*waits, Wait(end_us, end_us))):
            passed_us += wait.start_us - begun
            next_edge = round(columns * passed_us / shown_us)
            self._pieces.append((begun, wait.start_us, edge + number, next_edge - edge))
            if number < len(waits):
                self.fold_columns.append(next_edge + number)
            begun, edge = wait.end_us, next_edge

    def cells(self, start_us: int, end_us: int) -> tuple[int, int, bool]:
        """Give the first column of a bar, the one after its last, and whether it is under half one.

        A bar is never empty, however short the call.
        """
        left, right = self._position(start_us), self._position(end_us)
        first = min(int(left), self.width - 1)
        if right - left < 0.5:
            return first, first + 1, True
        return first, max(first + 1, min(self.width, -int(-right // 1))), False

    def _position(self, moment_us: int) -> float:
        for start, end, column, columns in self._pieces:
            if moment_us <= end:
                inside = (moment_us - start) / (end - start) if end > start else 0.0
                return column + columns * max(0.0, inside)
        return float(self.width)
