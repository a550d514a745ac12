"""Numbers of the files in which a commis's tool outputs are stored."""

from __future__ import annotations

from pathlib import Path

from zerg_visibility.store.system import posix


def highest_output(folder: Path) -> int:
    """Give the highest number among the tool outputs of a folder; 0 if there is none."""
    try:
        names = posix.listdir(folder)
    except OSError:
        return 0
    numbers = [name.partition("_")[0] for name in names]
    # A file that somebody else has put there has no say.
    return max((int(one) for one in numbers if one.isdecimal() and len(one) < 19), default=0)
