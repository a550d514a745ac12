"""What users pass, checked at once: later it would only fail in a log line, and lose records."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import ConfigurationError


def expect(name: str, value: object, fits: bool, wanted: str, hint: str = "") -> None:
    """Refuse an argument that cannot be used.

    Args:
        name: The argument's name.
        value: What was passed.
        fits: Whether it can be used.
        wanted: What it must be, to follow "must be".
        hint: What to do about it, if that is not plain.

    Raises:
        ConfigurationError: It does not fit.
    """
    if not fits:
        short = isinstance(value, str) and len(value) <= 80
        given = repr(value) if short else f"a {type(value).__name__}"
        raise ConfigurationError(f"{name} must be {wanted}, not {given}{hint}")


def expect_functions(functions: Mapping[str, Any]) -> None:
    """Refuse what is neither a function nor None.

    Args:
        functions: Arguments by name.

    Raises:
        ConfigurationError: One of them cannot be called.
    """
    for name, value in functions.items():
        expect(name, value, value is None or callable(value), "a function")


def expect_store(store: object) -> None:
    """Refuse what is neither a store nor None.

    Args:
        store: An argument of this name.

    Raises:
        ConfigurationError: It is something else; a path is shown how to become a store.
    """
    is_path = isinstance(store, str | os.PathLike)
    hint = f"; write CommisStore({str(store)!r})" if is_path else ""
    expect("store", store, store is None or isinstance(store, CommisStore), "a CommisStore", hint)
