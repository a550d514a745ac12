"""Runs on a disk that is full, then has room again.

`python -m tests.faults.full_disk ROOT [LIMIT]`: without LIMIT the disk is a small one,
and a filler takes what room there is; with it, no file may grow beyond so many bytes.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tests.faults.runs import (
    answer,
    calculator,
    expected_answer,
    is_complete,
    lines_in,
    watched,
)
from zerg_visibility import CommisStore, VisibilityCallbackHandler


def full(root: Path, limit: int | None) -> tuple[Callable[[], None], Callable[[], None]]:
    """Give functions that take all room away and give it back."""
    if limit is None:
        filler = root.parent / "filler"

        def fill() -> None:
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                for size in (4096, 1):
                    with suppress(OSError):
                        while True:
                            file.write(b"x" * size)

        return fill, filler.unlink
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    return (
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard)),
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)),
    )


def main(root: Path, limit: int | None) -> None:
    """Run a graph on a full disk, on one that fills up meanwhile, and on one with room."""
    expected = expected_answer()
    store = CommisStore(root)
    handler = VisibilityCallbackHandler(store)
    fill, free = full(root, limit)
    answers = []

    answers.append(answer(watched(store), handler) == expected)
    fill()
    answers.append(answer(watched(store), handler) == expected)
    free()
    answers.append(answer(watched(store), handler) == expected)
    answers.append(answer(watched(store, calculator(first=fill, last=free)), handler) == expected)

    jobs = {
        commis.job_id: {
            "complete": is_complete(store, commis.job_id or 0),
            "status": commis.status,
            "dropped": commis.dropped_records,
            "records": len(store.records(commis.commis_id).items),
        }
        for commis in store.recent()
    }
    result = {
        "alike": answers,
        "stats": asdict(handler.stats),
        "lines": lines_in(store),
        "jobs": jobs,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None)
