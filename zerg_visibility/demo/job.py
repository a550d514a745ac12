"""Running the demo: a folder is inspected, and what was seen of it is shown."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError
from langsmith.run_helpers import tracing_context

from zerg_visibility.callbacks.handler import VisibilityCallbackHandler
from zerg_visibility.commis_store import CommisStore
from zerg_visibility.demo.graph import build_concierge
from zerg_visibility.demo.model import model_failed, offline_model, open_model
from zerg_visibility.demo.report import DemoReport
from zerg_visibility.errors import ConfigurationError, VisibilityError
from zerg_visibility.settings import DEFAULT_LOG_PATH, LOGGER_NAME
from zerg_visibility.sinks.logfile import configure_logging
from zerg_visibility.store.metadata import CommisMetadata
from zerg_visibility.words import one_line

if TYPE_CHECKING:
    from rich.console import Console

MAX_STEPS = 50
"""A model that goes on for longer is stopped; it may cost money."""

_JOB = re.compile(r"Result from commis job (\d+) ")


def run_demo(path: Path, *, root: Path, model: str | None, console: Console) -> None:
    """Let a concierge inspect a folder, and show all three tiers.

    The model is `openai:NAME`; None for the offline one, with which nothing leaves this machine.

    Raises:
        VisibilityError: There is no such folder, the store cannot be written, or the model failed.
    """
    folder = path.resolve()
    if not folder.is_dir():
        raise VisibilityError(f"there is no folder {one_line(str(path), 200)} to inspect")
    chat_model = offline_model() if model is None else open_model(model)
    store = CommisStore(root)
    log_file = store.root / DEFAULT_LOG_PATH  # where the specification's commands look for it
    report = DemoReport(console, store, log_file)
    handler = VisibilityCallbackHandler(store)
    config: RunnableConfig = {"callbacks": [handler], "recursion_limit": MAX_STEPS}
    question = HumanMessage(f"Inspect the folder {one_line(str(folder), 300)}.")
    jobs: list[CommisMetadata] = []
    answer = ""
    # Somebody who has LangSmith turned on did not ask for a demo to be sent there.
    with _logging_to(store, log_file), tracing_context(enabled=False):
        report.begin(folder, model)
        graph = build_concierge(chat_model, folder, store)
        try:
            for update in graph.stream({"messages": [question]}, config, stream_mode="updates"):
                message = next(iter(update.values()))["messages"][-1]
                if not isinstance(message, ToolMessage):
                    answer = message.text
                    report.planned(message.tool_calls)
                elif found := _JOB.match(message.text):
                    job = store.metadata(store.find(int(found[1])))
                    if message.name == job.name:  # else the concierge has read some other job
                        jobs.append(job)
                        report.ended(job)
        except GraphRecursionError as error:
            raise VisibilityError(f"the model found no end in {MAX_STEPS} steps") from error
        except Exception as error:
            if model is None or (failure := model_failed(model, error)) is None:
                raise
            raise failure from error
    if not jobs:
        raise VisibilityError(
            f"the model sent no commis, or none could be stored in {store.root}; "
            f"it said: {one_line(answer, 200) or 'nothing'}"
        )
    report.end(answer, jobs)


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
        raise VisibilityError(
            f"the store {store.root} cannot be written to ({reason}); "
            f"give a folder that you may write to with --root"
        ) from error
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(level)
