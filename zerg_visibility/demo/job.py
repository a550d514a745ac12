"""Running the demo: a folder is inspected, and what was seen of it is shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError
from langsmith.run_helpers import tracing_context

from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo.graph import PLAN, READ, build_concierge
from zerg_visibility.demo.provider import model_failures_explained, open_model
from zerg_visibility.demo.report import DemoReport
from zerg_visibility.errors import ConfigurationError, VisibilityError
from zerg_visibility.settings import LOGGER_NAME
from zerg_visibility.sinks.logfile import configure_logging
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import one_line

if TYPE_CHECKING:
    from rich.console import Console

LOG_FILE = Path("logs/backend/backend.log")
"""Tier 3 below the store's root, where the specification's commands look for it."""

MAX_STEPS = 50
"""A model that goes on for longer is stopped; it may cost money."""


def run_demo(path: Path, *, root: Path, model: str | None, console: Console) -> int:
    """Let a concierge inspect a folder, and show all three tiers.

    Args:
        path: The folder.
        root: The store's root.
        model: `openai:NAME`; None for the offline model, with which nothing leaves this machine.
        console: Where to show it.

    Returns:
        0, the exit code of a demo that worked.

    Raises:
        VisibilityError: There is no such folder, the store cannot be written, or the model failed.
    """
    folder = path.resolve()
    if not folder.is_dir():
        kind = "not a folder" if folder.exists() else "not there"
        raise VisibilityError(f"{one_line(str(path), 200)} is {kind}; the demo inspects a folder")
    chat_model = open_model(model)
    store = CommisStore(root)
    _make_root(store)
    handler = VisibilityCallbackHandler(store)
    report = DemoReport(console, store, store.root / LOG_FILE)
    config: RunnableConfig = {"callbacks": [handler], "recursion_limit": MAX_STEPS}
    question = HumanMessage(f"Inspect the folder {one_line(str(folder), 300)}.")
    jobs: list[CommisMetadata] = []
    answer = AIMessage("")
    # Somebody who has LangSmith turned on did not ask for a demo to be sent there.
    with (
        _logging_to(store, report.log_file),
        model_failures_explained(model),
        tracing_context(enabled=False),
    ):
        report.begin(folder, model)
        graph = build_concierge(chat_model, folder, store)
        try:
            for update in graph.stream({"messages": [question]}, config, stream_mode="updates"):
                for node, said in update.items():
                    message = said["messages"][-1]
                    if node in {PLAN, READ}:
                        answer = message
                        if node == PLAN:
                            report.planned(len(message.tool_calls))
                    elif isinstance(message, ToolMessage) and message.artifact is not None:
                        jobs.append(message.artifact)
                        report.ended(message.artifact)
        except GraphRecursionError as error:
            raise VisibilityError(f"the model found no end in {MAX_STEPS} steps") from error
    if not jobs:
        raise VisibilityError(
            f"the model sent no commis; it said: {one_line(answer.text, 200) or 'nothing'}"
        )
    report.end(answer.text, jobs)
    return 0


def _make_root(store: CommisStore) -> None:
    try:
        store.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(store, "made", error.strerror) from error


def _unwritable(store: CommisStore, done: str, reason: object) -> VisibilityError:
    return VisibilityError(
        f"the store {store.root} cannot be {done} ({reason}); "
        f"give a folder that you may write to with --root"
    )


@contextmanager
def _logging_to(store: CommisStore, path: Path) -> Iterator[None]:
    """Write Tier 3 to a file in the store, and leave logging as it was."""
    logger = logging.getLogger(LOGGER_NAME)
    level = logger.level
    try:
        handler = configure_logging(path)
    except ConfigurationError as error:
        # It speaks to programmers; whoever runs the demo can only choose another store.
        reason = getattr(error.__cause__, "strerror", None) or error
        raise _unwritable(store, "written to", reason) from error
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(level)
