"""What the model reads: a schema's description describes a tool, its fields the arguments."""

from __future__ import annotations

from inspect import cleandoc

from pydantic import BaseModel, ConfigDict, Field

from zerg_visibility.status import STATUSES

_JOB = "Job number such as 7, or a commis id."
_SINCE = "Only commis started within so many hours."


def _description(text: str) -> ConfigDict:
    """Describe a schema by more than its docstring, which `python -OO` leaves out."""
    return ConfigDict(json_schema_extra={"description": cleandoc(text)})


class ReadCommisResult(BaseModel):
    """Arguments of read_commis_result."""

    model_config = _description(
        """
        Read what a commis answered, with its execution time.

        Use it first for any job: it also says if the commis is still at work, or why it failed.
        """
    )

    job_id: int | str = Field(description=_JOB)


class ReadCommisFile(BaseModel):
    """Arguments of read_commis_file."""

    model_config = _description(
        """
        Read a file from a commis's directory.

        For example metrics.jsonl (every LLM and tool call with its duration), thread.jsonl (its
        messages) or tool_calls/001_ssh_exec.txt (the full output of a tool). Long files are
        shortened in the middle; start_line and max_lines read on.
        """
    )

    job_id: int | str = Field(description=_JOB)
    file_path: str = Field(description="Relative to the commis's directory: metrics.jsonl.")
    start_line: int | None = Field(None, description="First line to read, from 1 on.")
    max_lines: int | None = Field(None, description="At most so many lines.")


class ListCommis(BaseModel):
    """Arguments of list_commis."""

    model_config = _description(
        """
        List recent commis, newest first: job, status, execution time, name and task.

        Use it to find a job number, or to see what is still running or has failed.
        """
    )

    status: str | None = Field(None, description=f"Only this status: {', '.join(STATUSES)}.")
    since_hours: float = Field(24, description=_SINCE)
    limit: int = Field(20, description="At most so many, 1 to 200.")


class GrepCommis(BaseModel):
    """Arguments of grep_commis."""

    model_config = _description(
        """
        Search tasks, results, metrics, messages and tool outputs of recent commis, line by line.

        Use it to find which job mentioned something. Upper and lower case differ.
        """
    )

    pattern: str = Field(description="Text to find, as it stands; a regular expression if regex.")
    regex: bool = Field(False, description="Take pattern as a Python regular expression.")
    since_hours: float = Field(24, description=_SINCE)


class GetCommisMetadata(BaseModel):
    """Arguments of get_commis_metadata."""

    model_config = _description(
        "Get status, task, timestamps, durations and totals of a commis as JSON."
    )

    job_id: int | str = Field(description=_JOB)


class GetCommisMetrics(BaseModel):
    """Arguments of get_commis_metrics."""

    model_config = _description(
        """
        Get the performance of a commis, already added up.

        Where its time went (LLM, tools, other), its slowest calls, failures, retries, tokens and
        child jobs. Use it for questions about speed or tokens instead of adding up metrics.jsonl
        yourself.
        """
    )

    job_id: int | str = Field(description=_JOB)
