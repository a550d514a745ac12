"""What the start of a call tells: names, phase hints and attempts.

Pure functions over what LangChain hands to its start hooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.config import get_config

PHASE_METADATA = "zerg_phase"
"""Metadata key with which a user names the phase of a model's calls."""

PHASE_TAG = "phase:"
"""Prefix of a tag that does the same."""

NO_SCHEMAS: frozenset[str] = frozenset()

ID_MAX = 200
"""Characters of an id that is taken over from elsewhere."""

NAMESPACE = "langgraph_checkpoint_ns"
"""Where LangGraph says in a run's metadata in which graph, node and task it is."""

NAMESPACE_MAX = 500
"""Characters of a namespace; a graph ten levels deep has as many."""

_RETRY_TAG = "retry:attempt:"  # langchain_core/runnables/retry.py


def requested_model(metadata: Mapping[str, Any], invocation_params: Any) -> str | None:
    """Name the model that was asked for; its parameters are stale for a bound or configured one."""
    name = metadata.get("ls_model_name")
    if not name and isinstance(invocation_params, dict):
        name = invocation_params.get("model_name") or invocation_params.get("model")
    return name if isinstance(name, str) and name else None


def namespace(metadata: Mapping[str, Any], own: str) -> str | None:
    """Give the LangGraph namespace of a call below its commis or root run's own.

    That is `tools:1a2b3c4d`, and one more part for each graph inside of it.
    """
    whole = metadata.get(NAMESPACE)
    if not isinstance(whole, str):
        return None
    if own and whole.startswith(own) and whole[len(own) : len(own) + 1] in ("", "|"):
        whole = whole[len(own) + 1 :]
    # Eight hexadecimal digits of a uuid are enough to tell branches of one run apart.
    if "|" not in whole and ":" in whole:
        short = whole[: whole.find(":") + 9]  # nearly always
    else:
        parts = whole.split("|")
        short = "|".join([part[: part.find(":") + 9] if ":" in part else part for part in parts])
    return short[:NAMESPACE_MAX] or None


def known_id(value: Any) -> str | None:
    """Take over the id that a model server gave a call, which may be anything, of any length."""
    if isinstance(value, str) and 0 < len(value) <= ID_MAX and value.isprintable():
        return value
    return None


def serialized_name(serialized: Any, name: Any) -> str | None:
    """Name a tool, or the class of a model, from what describes it."""
    if isinstance(name, str) and name:
        return name
    if not isinstance(serialized, dict):
        return None
    found = serialized.get("name")
    path = serialized.get("id")
    if not found and isinstance(path, list | tuple) and path:
        found = path[-1]
    return found if isinstance(found, str) and found else None


def phase_hint(metadata: Mapping[str, Any], tags: Sequence[object] | None) -> str | None:
    """Give the phase that the user named, if any."""
    hint = metadata.get(PHASE_METADATA)
    if isinstance(hint, str) and hint:
        return hint[:100]
    for tag in tags or ():
        if isinstance(tag, str) and tag.startswith(PHASE_TAG) and len(tag) > len(PHASE_TAG):
            return tag[len(PHASE_TAG) :][:100]
    return None


def retry_attempt(tags: Sequence[object] | None) -> int:
    """Give the attempt that `with_retry` tags a run with, from the second on."""
    for tag in tags or ():
        if isinstance(tag, str) and tag.startswith(_RETRY_TAG):
            number = tag[len(_RETRY_TAG) :]
            return int(number) if number.isdecimal() and len(number) < 10 else 1
    return 1


def node_attempt() -> int:
    """Give the attempt of the LangGraph node that is running, as its retry policy counts."""
    try:
        config = get_config()
    except RuntimeError:
        return 1  # called outside of any graph
    # What langgraph.runtime.get_runtime() gives, at a third of its cost.
    runtime = config.get("configurable", {}).get("__pregel_runtime")
    return getattr(getattr(runtime, "execution_info", None), "node_attempt", 1)


def output_schemas(options: Any) -> frozenset[str]:
    """Name the schemas of `with_structured_output`, which models answer as if they were tools."""
    found = options.get("ls_structured_output_format") if isinstance(options, dict) else None
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(schema, dict):
        return NO_SCHEMAS
    names = (schema.get("title"), schema.get("name"))
    return frozenset(name for name in names if isinstance(name, str) and name)
