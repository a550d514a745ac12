"""One commis as it stands: the one model that the tools, the command line and pages read from."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from zerg_visibility.clock import parse_us
from zerg_visibility.errors import FileNotInCommisError, MetadataUnreadableError
from zerg_visibility.read.run import RunFiles
from zerg_visibility.status import UNENDED
from zerg_visibility.store.artifacts import read_artifact
from zerg_visibility.store.directory import StoreDirectory
from zerg_visibility.store.layout import RESULT, job_number
from zerg_visibility.store.metadata import CommisMetadata, CommisTotals
from zerg_visibility.store.runs import SegmentRun
from zerg_visibility.store.unreadable import stub


def metadata_or_stub(
    store: StoreDirectory, commis_id: str, job_id: int | None = None
) -> CommisMetadata:
    """Read what is known of a commis, if need be without its metadata.json.

    Everything that lists or shows commis asks here, so that all say the same. The number under
    which it was found decides over what the file says.
    """
    try:
        found = store.written_metadata(commis_id).seen_now()
    except MetadataUnreadableError as error:
        return stub(store.folder(commis_id), commis_id, job_id, str(error))
    return found if job_id is None else replace(found, job_id=job_id)


class Commis(RunFiles):
    """One commis as it stood when it was read; each of its files is read once.

    Args:
        store: Where it lies.
        written: What is known of it, as `metadata_or_stub` gives it.
        now_us: Microseconds since 1970: up to when a running one runs; now if not given.
    """

    def __init__(
        self, store: StoreDirectory, written: CommisMetadata, now_us: int | None = None
    ) -> None:
        label = commis_label(written.job_id, written.commis_id)
        super().__init__(label, store.folder(written.commis_id), now_us)
        self._store = store
        self.written = written  # of one at work, without its totals up to now
        self.commis_id = written.commis_id
        self.job_id = written.job_id
        self.name = written.name
        # Why its metadata.json cannot be read, if it cannot.
        self.problem = None if written.readable else written.error
        self.segments = written.segments
        self.descendants = written.descendants  # sums over all commis below it
        self.latest_segment_us = written.segment_started_us

    @classmethod
    def find(cls, store: StoreDirectory, job: str | int) -> Self:
        """Find a commis by job id or commis id.

        Raises:
            CommisNotFoundError: There is none.
            OSError: It cannot be told, since this user may not read the file of the job.
        """
        commis_id = store.find(job)
        return cls(store, metadata_or_stub(store, commis_id, job_number(job)))

    @property
    def status(self) -> str:
        """How it stands; `lost` if its process is gone."""
        return self.written.status

    @cached_property
    def metadata(self) -> CommisMetadata:
        """What is known of it as a whole, its totals up to date."""
        # Of one that has ended they are there: a long list must not read every metrics.jsonl.
        if self.status not in UNENDED or self.records.problem is not None:
            return self.written
        return replace(self.written, totals=CommisTotals.of(self.records))

    @property
    def totals(self) -> CommisTotals:
        """Sums over its own calls."""
        return self.metadata.totals

    @cached_property
    def result(self) -> str | None:
        """Its final text; None if it left none.

        Raises:
            OSError: It is there and cannot be read.
        """
        try:
            return read_artifact(self.folder, RESULT).decode("utf-8", "replace")
        except FileNotInCommisError:
            return None

    @cached_property
    def at_work_ms(self) -> int | None:
        """Milliseconds at work, or passed if it has not ended; None if not known."""
        return self.written.worked_ms(self.until_us)

    @cached_property
    def until_us(self) -> int:
        """When it ended or began to wait, or how far it is known to have run; µs since 1970."""
        known = self.written
        if known.status == "running":
            return self.now_us
        if known.finished_at is not None and known.status != "lost":
            return parse_us(known.finished_at)
        return self.sign_of_life_us or known.started_us or self.now_us

    @cached_property
    def start_us(self) -> int:
        """When it began, in microseconds since 1970."""
        moments = [one.start_us for one in (*self.records, *self.starts)]
        known_us = self.written.started_us
        return min(moments if known_us is None else [*moments, known_us], default=self.until_us)

    def _commis(self, commis_id: str) -> Commis:
        return Commis.find(self._store, commis_id)

    def segment_at(self, moment_us: int) -> SegmentRun | None:
        """Give the segment in which something began at a moment, if that is known."""
        for run in reversed(self.written.runs):
            if run.start_ts is not None and parse_us(run.start_ts) <= moment_us:
                return run
        return None

    def segment_end_us(self, moment_us: int) -> int | None:
        """When the segment ended in which something began at a moment; None if not known."""
        run = self.segment_at(moment_us)
        return None if run is None or run.end_ts is None else parse_us(run.end_ts)

    def summary(self) -> dict[str, Any]:
        """Give the JSON object of `zerg-visibility list --json`."""
        return self.metadata.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of `zerg-visibility show JOB --json`."""
        return {"metadata": self.summary(), **super().to_dict()}


def commis_label(job_id: int | None, commis_id: str) -> str:
    """Name a commis by its job and its directory, or by its directory alone."""
    if job_id is None:
        return f"commis {commis_id}"
    return f"commis job {job_id} (commis {commis_id})"
