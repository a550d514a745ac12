"""Labels: what a user calls a run, for comparing it with others."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeAlias

from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.errors import ConfigurationError
from zerg_visibility.redaction import Redact
from zerg_visibility.words import one_line

Labels: TypeAlias = Mapping[str, str]

LABELS_KEY = "zerg_labels"
"""Where a config's metadata holds the labels of a run."""

LABELS_MAX = 20
"""Labels of one run."""

NAME_MAX = 50
"""Characters of a label's name."""

VALUE_MAX = 200
"""Characters of what it says."""


def checked_labels(labels: Labels | None) -> Labels:
    """Give the labels that somebody passed as an argument.

    Raises:
        ConfigurationError: They are something else, too many, or too long.
    """
    given: object = labels or {}
    fitting = _fitting(given)
    if fitting != given:
        raise ConfigurationError(
            f"labels={repr(labels)[:80]} cannot be used; give at most {LABELS_MAX} texts by name, "
            f"such as {{'variant': 'b'}}: names of at most {NAME_MAX} characters and values of at "
            f"most {VALUE_MAX}, each on one line"
        )
    return fitting


def labels_of_run(metadata: Mapping[str, Any], redact: Redact, diagnostics: Diagnostics) -> Labels:
    """Give the labels in the metadata of a run's config, redacted; the unfit are left out."""
    given = metadata.get(LABELS_KEY)
    if given is None:
        return {}
    fitting = _fitting(given)
    if fitting != given:
        diagnostics.note(f"use all of {LABELS_KEY}", ValueError("no short texts, or too many"))
    return redacted_labels(fitting, redact)


def redacted_labels(labels: Labels, redact: Redact) -> Labels:
    """Give labels with names and values made safe to store."""
    return {
        one_line(redact(name), NAME_MAX): one_line(redact(value), VALUE_MAX)
        for name, value in labels.items()
    }


def merged_labels(nearer: Labels, wider: Labels) -> Labels:
    """Give the labels of something and of what is around it; of one name, the nearer counts."""
    if not (nearer and wider):
        return nearer or wider
    more = {name: value for name, value in wider.items() if name not in nearer}
    return dict(islice({**nearer, **more}.items(), LABELS_MAX))


def _fitting(given: object) -> dict[str, str]:
    """Give the first of those that are short texts."""
    items = given.items() if isinstance(given, Mapping) else ()
    fit = (item for item in items if _fits(item[0], NAME_MAX) and _fits(item[1], VALUE_MAX))
    return dict(islice(fit, LABELS_MAX))


def _fits(text: object, limit: int) -> bool:
    return isinstance(text, str) and text != "" and text == one_line(text, limit)
