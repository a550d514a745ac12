"""What the model reads: a class docstring describes a tool, its fields the arguments."""

from __future__ import annotations

from pydantic import BaseModel, Field

from zerg_visibility.store.metadata import STATUSES

_JOB = "Job number such as 7, or a commis id."
_SINCE = "Only commis started within so many hours."


class ReadCommisResult(BaseModel):
    """Read what a commis answered, with its execution time.

    Use it first for any job: it also says if the commis is still at work, or why it failed.
    """

    job_id: int | str = Field(description=_JOB)


class ReadCommisFile(BaseModel):
    """Read a file from a commis's directory.

    For example metrics.jsonl (every LLM and tool call with its duration), thread.jsonl (its
    messages) or tool_calls/001_ssh_exec.txt (the full output of a tool). Long files are shortened
    in the middle; start_line and max_lines read on.
    """

    job_id: int | str = Field(description=_JOB)
    file_path: str = Field(description="Relative to the commis's directory: metrics.jsonl.")
    start_line: int | None = Field(None, description="First line to read, from 1 on.")
    max_lines: int | None = Field(None, description="At most so many lines.")


class ListCommis(BaseModel):
    """List recent commis, newest first: job, status, execution time, name and task.

    Use it to find a job number, or to see what is still running or has failed.
    """

    status: str | None = Field(None, description=f"Only this status: {', '.join(STATUSES)}.")
    since_hours: float = Field(24, description=_SINCE)
    limit: int = Field(20, description="At most so many, 1 to 200.")


class GrepCommis(BaseModel):
    """Search tasks, results, metrics, messages and tool outputs of recent commis, line by line.

    Use it to find which job mentioned something. Upper and lower case differ.
    """

    pattern: str = Field(description="Text to find, as it stands; a regular expression if regex.")
    regex: bool = Field(False, description="Take pattern as a Python regular expression.")
    since_hours: float = Field(24, description=_SINCE)


class GetCommisMetadata(BaseModel):
    """Get status, task, timestamps, durations and totals of a commis as JSON."""

    job_id: int | str = Field(description=_JOB)


class GetCommisMetrics(BaseModel):
    """Get the performance of a commis, already added up.

    Where its time went (LLM, tools, other), its slowest calls, failures, tokens and cost. Use it
    for questions about speed or cost instead of adding up metrics.jsonl yourself.
    """

    job_id: int | str = Field(description=_JOB)
