"""Options that several commands share, and what they lead to."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import ConfigurationError
from zerg_visibility.settings import ENV_ROOT, at_root, default_root
from zerg_visibility.store.layout import COMMIS, JOBS

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_ROOT_HELP = f"The store. [default: ${ENV_ROOT}, else ./zerg-data]"


def _checked_root(context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    if value == "":  # an unset shell variable would otherwise mean the current folder
        raise click.BadParameter("it is empty")
    if context.parent is None:  # before the command's name, where the command looks for it
        return value
    value = value or context.parent.params.get("root")
    return default_root() if value is None else Path(value)


def root_option(command: CommandT) -> CommandT:
    """Add `--root`, which gives a command a Path; one before the command's name is the default."""
    return click.option(
        "--root", type=str, callback=_checked_root, metavar="FOLDER", help=_ROOT_HELP
    )(command)


def json_option(command: CommandT) -> CommandT:
    """Add `--json`, which gives the command `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON.")(command)


def open_store(root: Path) -> CommisStore:
    """Give the store at a root that must be there.

    Raises:
        ConfigurationError: It is not, or may not be read; the message says what to do.
    """
    store = CommisStore(root)
    if not is_there(store):
        raise ConfigurationError(
            f"the store {store.root} does not exist; say where yours is with --root or "
            f"${ENV_ROOT}, or make a first one with: zerg-visibility demo{at_root(store.root)}"
        )
    return store


def is_there(store: CommisStore) -> bool:
    """Say whether a store has been made.

    Raises:
        ConfigurationError: Something else is in its place, or this user may not read it.
    """
    try:
        reason = "" if stat.S_ISDIR(store.root.stat().st_mode) else "is not a folder"
    except FileNotFoundError:
        return False
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    if reason:
        raise ConfigurationError(
            f"the store {store.root} {reason}; say where yours is with --root or ${ENV_ROOT}"
        )
    for folder in (store.root, store.root / COMMIS, store.root / JOBS):
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            raise ConfigurationError(f"the store's folder {folder} may not be read by this user")
    return True
