"""report_job: tells the concierge, in its messages, which job a commis was."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage

from zerg_visibility import words
from zerg_visibility.store.metadata import CommisMetadata


def report_job(update: Any, job: CommisMetadata) -> Any:
    """Add a message to a commis's update that names its job, status, duration and how to read it.

    For `create_commis_node(graph, output=report_job)`, where the outer graph keeps messages.

    Args:
        update: The commis's update; anything but a dict is left as it is.
        job: What is known of the commis.
    """
    if not isinstance(update, dict):
        return update
    spent = "" if job.duration_ms is None else f" in {words.duration(job.duration_ms)}"
    known_as = job.commis_id if job.job_id is None else job.job_id
    text = (
        f"Commis job {known_as} ({job.name}) ended with status {job.status}{spent}. "
        f'Read it with read_commis_result(job_id="{known_as}").'
    )
    messages = update.get("messages") or []
    if not isinstance(messages, list):
        messages = [messages]
    return {**update, "messages": [*messages, AIMessage(text, name="commis_report")]}
