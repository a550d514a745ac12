"""Operations of the system that fail below one folder, from a moment on and until another."""

from __future__ import annotations

import builtins
import errno
import io
import os
import posix
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

ERRORS: dict[str, Callable[[], Exception]] = {
    "ENOSPC": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "EACCES": lambda: OSError(errno.EACCES, os.strerror(errno.EACCES)),
    "EIO": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "EMFILE": lambda: OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "bug": lambda: RuntimeError("a bug of ours"),
}

OPERATIONS: dict[str, tuple[str, ...]] = {
    "open": ("os.open", "io.open"),
    "write": ("os.write",),
    "rename": ("os.replace", "os.rename"),
    "rename and tidy up": ("os.replace", "os.rename", "os.unlink", "os.remove"),
    "make a folder": ("os.mkdir",),
    "look at an open file": ("os.fstat",),
    "read at a place": ("os.pread",),
    "look at a file": ("os.stat", "os.lstat"),
    "list": ("os.listdir", "os.scandir"),
    "close": ("os.close",),
    "serialise": ("orjson.dumps",),
    "everything": (
        "os.open", "io.open", "os.write", "os.replace", "os.rename", "os.mkdir", "os.fstat",
        "os.pread", "os.stat", "os.lstat", "os.listdir", "os.scandir", "os.unlink", "os.remove",
        "orjson.dumps",
    ),
}  # fmt: skip
"""What can fail, and the functions behind it."""

_MODULES = {"os": os, "io": io, "orjson": orjson}


@dataclass(slots=True)
class Sabotage:
    """Makes operations fail while it is on; what other folders see stays as it is.

    Args:
        root: Only paths and open files below it are affected.
    """

    root: Path
    error: Callable[[], Exception] | None = None
    hits: int = 0

    def on(self, error: Callable[[], Exception]) -> None:
        """Let the operations fail from now on."""
        self.error = error

    def off(self) -> None:
        """Let them work again."""
        self.error = None

    def install(self, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
        """Put the failing functions in place of the real ones."""
        for name in names:
            module, _, function = name.partition(".")
            failing = self._failing(getattr(_MODULES[module], function), name)
            monkeypatch.setattr(_MODULES[module], function, failing)
            if module == "os":  # has its functions from there, and so does the store
                monkeypatch.setattr(posix, function, failing)
            if name == "io.open":
                monkeypatch.setattr(builtins, "open", io.open)

    def _failing(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        readlink = os.readlink

        def is_ours(target: Any) -> bool:
            if name.startswith("orjson"):
                return True
            if isinstance(target, int):
                try:
                    target = readlink(f"/proc/self/fd/{target}")
                except OSError:
                    return False
            text = os.fspath(target) if isinstance(target, str | os.PathLike) else ""
            return str(text).startswith(str(self.root))

        def function(*args: Any, **kwargs: Any) -> Any:
            if self.error is not None and is_ours(args[0]):
                self.hits += 1
                if name == "os.close":
                    real(*args, **kwargs)  # as Linux does: it is closed all the same
                raise self.error()
            return real(*args, **kwargs)

        return function
