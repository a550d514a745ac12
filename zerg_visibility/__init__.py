"""See what LangGraph workers do: how long they took, what they called, and what it cost.

Everything public is importable from here. Names are loaded when first used, so that a command
which only reads files imports neither langchain-core nor langgraph.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zerg_visibility.settings import switched_on

if TYPE_CHECKING:
    from zerg_visibility.callbacks.activation import visibility as visibility
    from zerg_visibility.callbacks.handler import (
        VisibilityCallbackHandler as VisibilityCallbackHandler,
    )
    from zerg_visibility.callbacks.in_flight import OpenCallInfo as OpenCallInfo
    from zerg_visibility.callbacks.stats import HandlerStats as HandlerStats
    from zerg_visibility.commis.node import create_commis_node as create_commis_node
    from zerg_visibility.commis.report import report_job as report_job
    from zerg_visibility.commis.tool import create_commis_tool as create_commis_tool
    from zerg_visibility.commis_store import CommisStore as CommisStore
    from zerg_visibility.errors import CommisNotFoundError as CommisNotFoundError
    from zerg_visibility.errors import ConfigurationError as ConfigurationError
    from zerg_visibility.errors import FileNotInCommisError as FileNotInCommisError
    from zerg_visibility.errors import MetadataUnreadableError as MetadataUnreadableError
    from zerg_visibility.errors import MissingExtraError as MissingExtraError
    from zerg_visibility.errors import RunNotFoundError as RunNotFoundError
    from zerg_visibility.errors import StoreError as StoreError
    from zerg_visibility.errors import VisibilityError as VisibilityError
    from zerg_visibility.read.commis import Commis as Commis
    from zerg_visibility.read.concierge import Concierge as Concierge
    from zerg_visibility.read.trace import Span as Span
    from zerg_visibility.read.trace import Trace as Trace
    from zerg_visibility.records.calls import LLMCallRecord as LLMCallRecord
    from zerg_visibility.records.calls import ToolCallRecord as ToolCallRecord
    from zerg_visibility.records.codec import Record as Record
    from zerg_visibility.records.runs import CommisRunRecord as CommisRunRecord
    from zerg_visibility.records.runs import ConciergeRunRecord as ConciergeRunRecord
    from zerg_visibility.secret_formats import redact_secrets as redact_secrets
    from zerg_visibility.sinks.base import Sink as Sink
    from zerg_visibility.sinks.keyvalue import KeyValueFormatter as KeyValueFormatter
    from zerg_visibility.sinks.logfile import configure_logging as configure_logging
    from zerg_visibility.sinks.memory import MemorySink as MemorySink
    from zerg_visibility.store.metadata import CommisMetadata as CommisMetadata
    from zerg_visibility.store.metadata import CommisTotals as CommisTotals
    from zerg_visibility.tools.toolkit import CONCIERGE_PROMPT as CONCIERGE_PROMPT
    from zerg_visibility.tools.toolkit import ConciergeToolkit as ConciergeToolkit

_HOMES = {
    "CONCIERGE_PROMPT": "tools.toolkit",
    "Commis": "read.commis",
    "CommisMetadata": "store.metadata",
    "CommisNotFoundError": "errors",
    "CommisRunRecord": "records.runs",
    "CommisStore": "commis_store",
    "CommisTotals": "store.metadata",
    "Concierge": "read.concierge",
    "ConciergeRunRecord": "records.runs",
    "ConciergeToolkit": "tools.toolkit",
    "ConfigurationError": "errors",
    "FileNotInCommisError": "errors",
    "HandlerStats": "callbacks.stats",
    "KeyValueFormatter": "sinks.keyvalue",
    "LLMCallRecord": "records.calls",
    "MemorySink": "sinks.memory",
    "MetadataUnreadableError": "errors",
    "MissingExtraError": "errors",
    "OpenCallInfo": "callbacks.in_flight",
    "Record": "records.codec",
    "RunNotFoundError": "errors",
    "Sink": "sinks.base",
    "Span": "read.trace",
    "StoreError": "errors",
    "ToolCallRecord": "records.calls",
    "Trace": "read.trace",
    "VisibilityCallbackHandler": "callbacks.handler",
    "VisibilityError": "errors",
    "configure_logging": "sinks.logfile",
    "create_commis_node": "commis.node",
    "create_commis_tool": "commis.tool",
    "redact_secrets": "secret_formats",
    "report_job": "commis.report",
    "visibility": "callbacks.activation",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - the same names as the imports above; a test compares them


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'zerg_visibility' has no attribute {name!r}")
    value = getattr(import_module(f"zerg_visibility.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if switched_on():
    import_module("zerg_visibility.callbacks.activation")
