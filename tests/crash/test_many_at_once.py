"""Many processes on one store, many threads on one handler: all of it recorded, and once."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

import orjson

from tests.crash.crowd import RECORDS_A_COMMIS, SAME_TASK, concierge
from tests.processes import all_at_once
from tests.scenarios.found import lines
from zerg_visibility import CommisStore

PROCESSES, COMMIS_EACH, THREADS_EACH = 8, 80, 4
CROWD = """
import sys
from tests.scenarios.found import lines
from tests.crash.crowd import main
main(*sys.argv[2:])
"""


def test_eight_processes_share_a_store_and_a_log(store, tmp_path):
    log = tmp_path / "logs" / "backend.log"
    results = all_at_once(CROWD, PROCESSES, store.root, log, COMMIS_EACH, THREADS_EACH)

    told = [span for result in results for span in json.loads(result.splitlines()[-1])]
    total = PROCESSES * COMMIS_EACH
    assert len(told) == len(set(told)) == RECORDS_A_COMMIS * total
    assert spans_in_files(store.root) == Counter(told)
    roots = [line["span_id"] for line in lines(store.root) if line["event"] == "concierge_run"]
    assert spans_in_log(log) == Counter(told) - Counter(roots)
    every_commis_is_itself(store, total)


def test_fifty_threads_share_a_handler(store, handler, memory_sink):
    graph = concierge(store)
    threads, each = 50, 4
    start = threading.Barrier(threads)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(60)
            for _ in range(each):
                graph.invoke({"task": SAME_TASK}, {"callbacks": [handler]})
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)

    assert failures == []
    told = Counter(record.span_id for record in memory_sink.records)
    assert len(told) == told.total() == RECORDS_A_COMMIS * threads * each
    assert spans_in_files(store.root) == told
    assert handler.stats.records == told.total()
    assert (handler.stats.failures, handler.stats.late_ends) == (0, 0)
    every_commis_is_itself(store, threads * each)


def spans_in_files(root: Path) -> Counter[str]:
    """The span of every line of every metrics.jsonl; each line has to be whole and valid."""
    spans: Counter[str] = Counter()
    for path in root.glob("*/*/metrics.jsonl"):
        data = path.read_bytes()
        assert data.endswith(b"\n"), path
        spans.update(orjson.loads(line)["span_id"] for line in data.splitlines())
    return spans


def spans_in_log(path: Path) -> Counter[str]:
    data = path.read_text()
    assert data.endswith("\n")
    spans: Counter[str] = Counter()
    for line in data.splitlines():
        assert line.count(" INFO ") == line.count(" event=") == line.count(" span_id=") == 1, line
        assert line.split(" ")[-1].startswith("event="), line
        spans[line.partition(" span_id=")[2][:16]] += 1
    return spans


def every_commis_is_itself(store: CommisStore, total: int) -> None:
    """Ids are unique, and each commis has its own records and result, and nobody else's."""
    all_of_them = list(store.recent())
    assert len(all_of_them) == total
    assert len({commis.commis_id for commis in all_of_them}) == total
    assert sorted(commis.job_id for commis in all_of_them) == list(range(1, total + 1))
    assert len({commis.trace_id for commis in all_of_them}) == total
    assert Counter(commis.status for commis in all_of_them) == {"success": total}
    for commis in all_of_them:
        records = store.records(commis.commis_id)
        assert [record.event for record in records.items] == ["llm_call", "tool_call"]
        assert {record.trace_id for record in records.items} == {commis.trace_id}
        assert (records.unreadable, records.torn) == (0, False)
        assert (commis.totals.llm_calls, commis.totals.tool_calls) == (1, 1)
        assert store.result(commis.commis_id) == "42"
