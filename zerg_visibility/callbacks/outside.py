"""The trace from outside that a root run belongs to."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

_TRACEPARENT = re.compile(
    r"([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\Z"
)

OutsideTrace: TypeAlias = tuple[str, str | None]
"""A trace that somebody else has begun: 32 hex digits, and the 16 of a span where there is one."""


def outside_trace(metadata: Mapping[str, Any]) -> OutsideTrace | None:
    """Find the trace around a run: OpenTelemetry's, else that of its config, else its server's.

    In metadata anything may stand; OpenTelemetry may raise anything.
    """
    return _active_span() or _traceparent(metadata) or _server_run(metadata)


def _active_span() -> OutsideTrace | None:
    # Who has not imported it has no span; it is not for us to load it.
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    span = api.get_current_span().get_span_context()
    return (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else None


def _traceparent(metadata: Mapping[str, Any]) -> OutsideTrace | None:
    given = metadata.get("traceparent")
    found = _TRACEPARENT.match(given) if isinstance(given, str) else None
    if found is None:
        return None
    version, trace_id, span_id, more = found.groups()
    # W3C: there is no version ff, and only later ones than 00 may add something.
    return None if version == "ff" or (version == "00" and more) else (trace_id, span_id)


def _server_run(metadata: Mapping[str, Any]) -> OutsideTrace | None:
    """Take a server's run as the trace, so that all that it runs at once is one."""
    given = metadata.get("run_id")
    if isinstance(given, str):
        try:
            given = UUID(given)
        except ValueError:
            return None
    # W3C: all zeros are no trace.
    return (f"{given.int:032x}", None) if isinstance(given, UUID) and given.int else None
