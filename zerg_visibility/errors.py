"""The errors that zerg_visibility raises.

VisibilityError
├── ConfigurationError          an argument or setting cannot be used as given
│   └── MissingExtraError       an optional dependency is not installed
└── StoreError                  something asked of the store is not to be had
    ├── CommisNotFoundError     no commis under that job id or commis id
    ├── RunNotFoundError        no run of a concierge, or no trace, under that id
    ├── FileNotInCommisError    no readable file of that name in the commis's directory
    └── MetadataUnreadableError metadata.json is there, but is not what we wrote

They reach the people who call this library directly. They never reach a graph that is being
watched: what fails while watching is counted and logged instead (see `diagnostics.py`).
"""

from __future__ import annotations


class VisibilityError(Exception):
    """Base class of every error that this package raises."""


class ConfigurationError(VisibilityError, ValueError):
    """An argument or a setting cannot be used as it was given."""


class MissingExtraError(ConfigurationError, ImportError):
    """A feature was asked for whose optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}'. "
            f"Install it with: pip install 'zerg-visibility[{extra}]'"
        )
        self.extra = extra


class StoreError(VisibilityError):
    """Something asked of the store is not to be had."""


class CommisNotFoundError(StoreError, LookupError):
    """No commis is stored under that job id or commis id."""


class RunNotFoundError(StoreError, LookupError):
    """No run of a concierge, or no trace, is stored under that id."""


class FileNotInCommisError(StoreError, FileNotFoundError):
    """No readable file of that name lies in the commis's directory.

    The same error stands for a missing file, a folder, a pipe and a path that tries to leave the
    directory, so that nothing outside can be probed with it.
    """


class MetadataUnreadableError(StoreError):
    """A commis's metadata.json is missing or is not valid."""
