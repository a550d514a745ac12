"""Numbers of the files in which a commis's tool outputs are stored."""

from __future__ import annotations

from pathlib import Path

from zerg_visibility.forksafe import ForkSafe
from zerg_visibility.store.system import posix


class OutputNumbers(ForkSafe):
    """Gives each output a number of its own, in order of completion.

    Late calls of a segment that is over share it with the segment that came after.

    Args:
        folder: Where the outputs lie, or will.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._next = 1
        self.look_again()

    def look_again(self) -> None:
        """Go on behind what others have stored since."""
        highest = _highest(self._folder)
        with self._lock:
            self._next = max(self._next, highest + 1)

    def draw(self) -> int:
        """Give the next number."""
        with self._lock:  # nothing in here that the garbage collector could come in at
            number = self._next
            self._next = number + 1
            return number


def _highest(folder: Path) -> int:
    """Give the highest number among the tool outputs of a folder; 0 if there is none."""
    try:
        names = posix.listdir(folder)
    except OSError:
        return 0
    numbers = [name.partition("_")[0] for name in names]
    # A file that somebody else has put there has no say.
    return max((int(one) for one in numbers if one.isdecimal() and len(one) < 19), default=0)
