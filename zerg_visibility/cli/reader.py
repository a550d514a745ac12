"""Whoever reads our standard output: a terminal, a file, or a program such as `head`."""

from __future__ import annotations

import io
import select
import stat
import sys
import time
from os import fstat


class Reader:
    """Waits, and notices meanwhile if a reading program has ended.

    A broken pipe is otherwise seen only when something is written, which may never be.
    """

    def __init__(self) -> None:
        self._poll: select.poll | None = None
        try:
            output = sys.stdout.fileno()
            mode = fstat(output).st_mode
        except (io.UnsupportedOperation, AttributeError, OSError):
            return  # no output that could break
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            self._poll = select.poll()
            self._poll.register(output, 0)  # errors and hang-ups are reported unasked

    def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        if self._poll is None:
            time.sleep(seconds)
        elif self._poll.poll(seconds * 1000):
            raise BrokenPipeError
