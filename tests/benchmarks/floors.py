"""What nothing that watches can go below: handlers that do next to nothing."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

_START = b'{"event":"llm_call","name":"scripted-1","span_id":"%016x","start_ts":"%s"}\n'
_END = b'{"event":"llm_call","span_id":"%016x","rest":"%s"}\n'
_FILL = b"x" * 350
"""Makes a line as long as ours are."""

_ANSWER = b"x" * 960
"""As long as the answer in `workload`."""


class EmptyInlineHandler(BaseCallbackHandler):
    """Takes every event on the spot and does nothing with it: what LangChain itself costs."""

    run_inline = True

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing; without it LangChain would render the messages to text."""


class ThreeLinesHandler(EmptyInlineHandler):
    """Writes a line when a call starts and two when it ends, and looks at nothing.

    So many lines, each in the file when the hook returns, are what all three tiers ask for; what
    is in them comes on top.

    Args:
        folder: Where its files go.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._started, self._metrics, self._log = (
            os.open(folder / name, flags) for name in ("started", "metrics", "log")
        )
        self._numbers = itertools.count()

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Write one line."""
        os.write(self._started, _START % (next(self._numbers), _FILL[:30]))

    def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        """Write one line."""
        os.write(self._started, _START % (next(self._numbers), _FILL[:30]))

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        """Write two lines."""
        self._end()

    def on_tool_end(self, *args: Any, **kwargs: Any) -> None:
        """Write two lines."""
        self._end()

    def _end(self) -> None:
        line = _END % (next(self._numbers), _FILL)
        os.write(self._metrics, line)
        os.write(self._log, line)


class NewFileHandler(EmptyInlineHandler):
    """Writes a file when a tool has answered, and looks at nothing: what the file system takes.

    Args:
        folder: Where its files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def on_tool_end(self, *args: Any, **kwargs: Any) -> None:
        """Write one file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        fd = os.open(f"{self._folder}/{next(self._numbers):03}_output.txt", flags)
        os.write(fd, _ANSWER)
        os.close(fd)
