"""Which commis a run is: what makes a resume or a retry the same one, and a loop a new one."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import get_runtime
from langgraph.types import Command

from zerg_visibility.forksafe import ForkSafe

MAX_EXECUTIONS = 4096
"""Node executions in which calls of commis are counted; older ones are forgotten."""

tool_call_id: ContextVar[str | None] = ContextVar("zerg_visibility_tool_call_id", default=None)
"""The call of the commis tool that is running. A plain ToolNode runs all calls of a message in one
task, so the task alone does not tell them apart."""


@dataclass(frozen=True, slots=True)
class ResumeKey:
    """What identifies a commis run across resumes and retries.

    Args:
        key: 32 hex digits; None for a graph on its own without a thread, a new commis each time.
        may_continue: Whether a commis known under this key goes on, rather than a new one begins.
        thread_id: The LangGraph thread.
        checkpointed: Whether another process may resume it.
        node: The node that runs the commis.
        execution: Stands for the one execution of a tool call or LangGraph task that it is part of.
    """

    key: str | None
    may_continue: bool
    thread_id: str | None
    checkpointed: bool
    node: str | None = None
    execution: object = None


def identify(
    config: RunnableConfig | None, given: Any, name: str | None, owner_id: str | None
) -> ResumeKey:
    """Identify the run that is about to start from the LangGraph task it is started in.

    LangGraph keeps thread, checkpoint namespace and task id the same over interrupts, retries and
    `invoke(None)`, and gives new ones to loops, new turns and `Send` branches. A node function may
    run several commis, so their order within one execution of the task belongs to the key too. Name
    and owner do as well: threads of several applications may have the same id, and nobody's commis
    may go on as somebody else's.
    """
    # A prefix, so that no name can be taken for no name.
    whose = tuple("-" if text is None else f"={text}" for text in (name, owner_id))
    try:
        ambient = get_config()
        info = get_runtime().execution_info
    except (RuntimeError, KeyError, AttributeError):
        info = None
    if info is None:
        # Nothing encloses it: it goes on only if it is resumed on its thread.
        on = ((config or {}).get("configurable") or {}).get("thread_id")
        return ResumeKey(
            key=None if on is None else _hash(str(on), "", "", "", *whose, ""),
            may_continue=given is None or isinstance(given, Command),
            thread_id=None if on is None else str(on),
            checkpointed=on is not None,
        )
    call_id = tool_call_id.get()
    task = (str(info.thread_id), info.checkpoint_ns, info.task_id, call_id or "", *whose)
    order = 0 if call_id is not None else _executions.order(task, info)
    node = ambient.get("metadata", {}).get("langgraph_node")
    return ResumeKey(
        key=_hash(*task, str(order)),
        may_continue=True,
        thread_id=None if info.thread_id is None else str(info.thread_id),
        # The key under which LangGraph hands the checkpointer to subgraphs.
        checkpointed=bool(ambient.get("configurable", {}).get("__pregel_checkpointer")),
        node=node if isinstance(node, str) else None,
        execution=info,
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


class _Executions(ForkSafe):
    """Counts the commis that one execution of a LangGraph task has started.

    LangGraph makes one ExecutionInfo object per attempt of a task and hands the same object to
    everything that runs in it, so a new object means that counting starts again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: OrderedDict[tuple[str, ...], tuple[object, int]] = OrderedDict()

    def order(self, task: tuple[str, ...], info: object) -> int:
        with self._lock:
            known, count = self._counts.pop(task, (None, 0))
            order = count if known is info else 0
            self._counts[task] = (info, order + 1)
            if len(self._counts) > MAX_EXECUTIONS:
                self._counts.popitem(last=False)
            return order


_executions = _Executions()
