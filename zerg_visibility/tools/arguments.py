"""What the model reads: what each tool is for, and what its arguments mean."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, create_model

from zerg_visibility.status import STATUSES

_JOB = (int | str, Field(description="Job number such as 7, or a commis id."))
_SINCE = (float, Field(24, description="Only commis started within so many hours."))


def _arguments(name: str, description: str, **fields: Any) -> type[BaseModel]:
    """Make a schema whose description is no docstring, which `python -OO` leaves out."""
    schema: type[BaseModel] = create_model(
        name, __config__={"json_schema_extra": {"description": description}}, **fields
    )
    return schema


READ_COMMIS_RESULT = _arguments(
    "read_commis_result",
    "Read what a commis answered, with its execution time.\n\n"
    "Use it first for any job: it also says if the commis is still at work, or why it failed.",
    job_id=_JOB,
)
READ_COMMIS_FILE = _arguments(
    "read_commis_file",
    "Read a file from a commis's directory.\n\n"
    "For example metrics.jsonl (every LLM and tool call with its duration), thread.jsonl (its\n"
    "messages) or tool_calls/001_ssh_exec.txt (the full output of a tool). Long files are\n"
    "shortened in the middle; start_line and max_lines read on.",
    job_id=_JOB,
    file_path=(str, Field(description="Relative to the commis's directory: metrics.jsonl.")),
    start_line=(int | None, Field(None, description="First line to read, from 1 on.")),
    max_lines=(int | None, Field(None, description="At most so many lines.")),
)
LIST_COMMIS = _arguments(
    "list_commis",
    "List recent commis, newest first: job, status, execution time, name and task.\n\n"
    "Use it to find a job number, or to see what is still running or has failed.",
    status=(str | None, Field(None, description=f"Only this status: {', '.join(STATUSES)}.")),
    since_hours=_SINCE,
    limit=(int, Field(20, description="At most so many, 1 to 200.")),
)
GREP_COMMIS = _arguments(
    "grep_commis",
    "Search tasks, results, metrics, messages and tool outputs of recent commis, line by line.\n\n"
    "Use it to find which job mentioned something. Upper and lower case differ.",
    pattern=(
        str,
        Field(description="Text to find, as it stands; a regular expression if regex."),
    ),
    regex=(bool, Field(False, description="Take pattern as a Python regular expression.")),
    since_hours=_SINCE,
)
GET_COMMIS_METADATA = _arguments(
    "get_commis_metadata",
    "Get status, task, timestamps, durations and totals of a commis as JSON.",
    job_id=_JOB,
)
GET_COMMIS_METRICS = _arguments(
    "get_commis_metrics",
    "Get the performance of a commis, already added up.\n\n"
    "Where its time went (LLM, tools, other), its slowest calls, failures, retries, tokens and\n"
    "child jobs. Use it for questions about speed or tokens instead of adding up metrics.jsonl\n"
    "yourself.",
    job_id=_JOB,
)
