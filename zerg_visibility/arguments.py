"""What users pass, checked at once: later it would only fail in a log line, and lose records.

Each function raises ConfigurationError for an argument that cannot be used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zerg_visibility.commis_store import CommisStore
from zerg_visibility.errors import ConfigurationError


def expect(name: str, value: object, fits: bool, wanted: str, hint: str = "") -> None:
    """Refuse an argument unless it fits; what is wanted follows "must be"."""
    if not fits:
        short = isinstance(value, str) and len(value) <= 80
        given = repr(value) if short else f"a {type(value).__name__}"
        raise ConfigurationError(f"{name} must be {wanted}, not {given}{hint}")


def expect_functions(functions: Mapping[str, Any]) -> None:
    """Refuse arguments, by name, that are neither a function nor None."""
    for name, value in functions.items():
        expect(name, value, value is None or callable(value), "a function")


def expect_store(store: object) -> None:
    """Refuse what is neither a store nor None; for a path, say how it becomes a store."""
    is_path = isinstance(store, str | os.PathLike)
    hint = f"; write CommisStore({str(store)!r})" if is_path else ""
    expect("store", store, store is None or isinstance(store, CommisStore), "a CommisStore", hint)
