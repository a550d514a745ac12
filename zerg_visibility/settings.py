"""Environment variables and defaults; library code takes arguments first and asks here second."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

ENV_SWITCH = "ZERG_VISIBILITY"
"""Set to 1 to watch every graph of a process that imports zerg_visibility."""

ENV_ROOT = "ZERG_VISIBILITY_ROOT"
"""The store's root, where neither an argument nor --root gives one."""

DEFAULT_ROOT = "zerg-data"
"""The store's root if nothing else is said, relative to the working directory."""

LOGGER_NAME = "zerg_visibility"
"""The logger of Tier 3 and of our own warnings."""

DEFAULT_LOG_PATH = "logs/backend/backend.log"
"""Where configure_logging writes, as the specification's grep commands expect."""

_OFF = frozenset({"", "0", "false", "no", "off"})


def switched_on() -> bool:
    """Say whether the environment asks for every graph to be watched."""
    return os.environ.get(ENV_SWITCH, "").strip().lower() not in _OFF


def root_is_set() -> bool:
    """Say whether the environment names the store's root."""
    return bool(os.environ.get(ENV_ROOT))


def default_root() -> Path:
    """Give the store's root from the environment, else the default folder."""
    return Path(os.environ.get(ENV_ROOT) or DEFAULT_ROOT)


def at_root(root: Path) -> str:
    """Give what a command line needs to find this store: ` --root FOLDER`, or nothing."""
    root = root.absolute()
    return "" if root == default_root().absolute() else f" --root {shlex.quote(str(root))}"
