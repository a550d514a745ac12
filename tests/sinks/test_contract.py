"""What every sink has in common; a new one joins the list."""

import logging
import threading

import pytest

from zerg_visibility import CommisRunRecord, LLMCallRecord, MemorySink, Sink, ToolCallRecord
from zerg_visibility.diagnostics import Diagnostics
from zerg_visibility.sinks.fanout import FanoutSink
from zerg_visibility.sinks.log import LogSink

RECORDS = [
    LLMCallRecord(start_us=0, end_us=1000, model="m", total_tokens=7),
    ToolCallRecord(start_us=0, end_us=1000, tool="ls", success=False, error="E: x"),
    CommisRunRecord(start_us=0, end_us=1000, name="research", job_id=1),
]

SINKS = {
    "memory": lambda tmp_path: MemorySink(),
    "log": lambda tmp_path: LogSink(logging.getLogger("zerg_visibility.contract")),
    "fanout": lambda tmp_path: FanoutSink([MemorySink(), MemorySink()], Diagnostics()),
    "fanout of none": lambda tmp_path: FanoutSink([], Diagnostics()),
}


@pytest.fixture(params=SINKS.values(), ids=SINKS.keys())
def sink(request, tmp_path) -> Sink:
    return request.param(tmp_path)


def test_it_is_a_sink(sink):
    assert isinstance(sink, Sink)


def test_it_takes_every_kind_of_record(sink):
    for record in RECORDS:
        assert sink.emit(record) is None
    assert sink.flush(1.0) is True
    sink.close()


def test_it_can_be_closed_twice_and_flushed_when_closed(sink):
    sink.emit(RECORDS[0])
    sink.close()
    sink.close()
    assert sink.flush(5.0) is True


def test_it_takes_records_from_several_threads(sink):
    def work():
        for _ in range(100):
            sink.emit(RECORDS[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()


def test_memory_keeps_records_in_order_and_counts_what_it_forgets():
    sink = MemorySink(limit=2)
    for record in RECORDS:
        sink.emit(record)
    assert sink.records == RECORDS[1:]
    assert sink.dropped == 1
