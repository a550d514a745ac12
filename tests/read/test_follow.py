import os
from dataclasses import replace

import pytest

from tests.cli.samples import append, llm, tool
from zerg_visibility import CommisStore
from zerg_visibility.clock import Clock, format_us
from zerg_visibility.read import follow
from zerg_visibility.read.follow import Follower, LineCursor


class HandMoved:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.clock = Clock(monotonic_ns=lambda: round(self.now_s * 1e9))


def told(follower: Follower) -> list[tuple]:
    """Give what a poll tells, short."""
    lines: list[tuple] = []
    for item in follower.poll():
        job = item.commis.job_id
        match item.event:
            case "commis_started":
                lines.append((job, "resumed" if item.resumed else "started"))
            case "record":
                lines.append((job, getattr(item.record, "tool", "llm")))
            case "line_unreadable":
                lines.append((job, "unreadable"))
            case "commis_ended":
                lines.append((job, item.commis.status))
    return lines


def test_a_new_commis_is_told_from_its_start_to_its_end(store, make, alive):
    follower = Follower(store)
    assert told(follower) == []
    made = make(records=lambda t: [llm(t, 5)], **alive)
    assert told(follower) == [(1, "started"), (1, "llm")]
    assert follower.at_work
    append(store, made.commis_id, tool(make.begun_us, 5, tool="a"))
    assert told(follower) == [(1, "a")]
    assert told(follower) == []
    append(store, made.commis_id, tool(make.begun_us, 5, tool="b"))
    store.save_metadata(replace(made, status="success", finished_at=format_us(make.begun_us)))
    assert told(follower) == [(1, "b"), (1, "success")]
    assert told(follower) == []
    assert not follower.at_work


def test_one_that_came_and_went_between_two_polls_is_told_whole(store, make):
    follower = Follower(store)
    make(records=lambda t: [llm(t, 5)], status="failed")
    assert told(follower) == [(1, "started"), (1, "llm"), (1, "failed")]


def test_what_was_there_before_is_no_news_unless_asked_for(store, make, alive):
    make(records=lambda t: [tool(t, 5, tool="old")])
    running = make(records=lambda t: [tool(t, 5, tool="old")], **alive)
    follower = Follower(store)
    # One at work is announced, since it may hang and never say anything again.
    assert told(follower) == [(2, "started")]
    append(store, running.commis_id, tool(make.begun_us, 5, tool="new"))
    assert told(follower) == [(2, "new")]
    assert told(Follower(store, from_start=True)) == [
        (1, "started"), (1, "old"), (1, "success"), (2, "started"), (2, "old"), (2, "new"),
    ]  # fmt: skip


def test_commis_side_by_side_are_told_in_the_order_of_time(store, make):
    second = 1_000_000
    make(records=lambda t: [tool(t, 10_000, tool="long")])
    make(records=lambda t: [tool(t + second, 1000, tool="short")])
    assert told(Follower(store, from_start=True)) == [
        (1, "started"), (2, "started"), (2, "short"), (2, "success"), (1, "long"), (1, "success"),
    ]  # fmt: skip


def test_a_torn_last_line_waits_until_it_is_whole(store, make, alive):
    made = make(**alive)
    follower = Follower(store)
    follower.poll()
    line = b'{"event":"tool_call","tool":"x","start_ts":"2025-12-15T04:08:08Z",'
    path = store.folder(made.commis_id) / "metrics.jsonl"
    with path.open("ab", buffering=0) as file:
        file.write(line)
        assert told(follower) == []
        file.write(b'"end_ts":"2025-12-15T04:08:09Z","later":1}\n')
    (seen,) = follower.poll()
    assert seen.record is not None
    assert seen.line == line + b'"end_ts":"2025-12-15T04:08:09Z","later":1}\n'


def test_a_line_that_is_no_record_is_told_and_hides_no_neighbour(store, make, alive):
    made = make(**alive)
    follower = Follower(store)
    follower.poll()
    with (store.folder(made.commis_id) / "metrics.jsonl").open("a") as file:
        file.write('{"torn\n[1]\n\n{"event":5}\n{"event":"newer"}\n')
    append(store, made.commis_id, tool(make.begun_us, 5, tool="whole"))
    assert sorted(told(follower)) == [(1, "unreadable")] * 3 + [(1, "whole")]


def test_a_resumed_commis_is_followed_again(store, make, alive):
    made = make(records=lambda t: [tool(t, 5, tool="before")], status="interrupted")
    follower = Follower(store)
    assert told(follower) == []
    store.save_metadata(replace(made, segments=2, **alive))
    append(store, made.commis_id, tool(make.begun_us, 5, tool="after"))
    assert told(follower) == [(1, "resumed"), (1, "after")]
    store.save_metadata(replace(made, segments=2, status="success"))
    assert told(follower) == [(1, "success")]


def test_a_segment_that_came_and_went_between_two_polls_is_told(store, make):
    made = make(status="interrupted")
    follower = Follower(store)
    follower.poll()
    append(store, made.commis_id, tool(make.begun_us, 5, tool="after"))
    store.save_metadata(replace(made, segments=2, status="success"))
    assert told(follower) == [(1, "resumed"), (1, "after"), (1, "success")]


def test_a_commis_whose_process_went_is_told_as_lost_once(store, make, alive, dead):
    made = make(**alive)
    follower = Follower(store)
    follower.poll()
    store.save_metadata(replace(made, **dead))
    assert told(follower) == [(1, "lost")]
    assert told(follower) == []


def test_late_records_are_told_within_the_grace_and_no_longer(store, make):
    time = HandMoved()
    follower = Follower(store, clock=time.clock)
    made = make()
    follower.poll()
    time.now_s += follow.GRACE_S - 1
    append(store, made.commis_id, tool(make.begun_us, 5, tool="late"))
    assert told(follower) == [(1, "late")]
    time.now_s += 2
    append(store, made.commis_id, tool(make.begun_us, 5, tool="too late"))
    assert told(follower) == []


def test_a_job_file_that_is_still_empty_is_asked_for_again(store, make, alive):
    make(**alive)
    time = HandMoved()
    follower = Follower(store, clock=time.clock)
    follower.poll()
    job = store.root / "jobs" / "2"
    job.write_text("")
    assert told(follower) == []
    commis_id = store.find(make(**alive).job_id)  # 3, since 2 is taken
    assert told(follower) == [(3, "started")]
    job.write_text(commis_id)
    assert told(follower) == [(2, "started")]


def test_a_job_whose_writer_died_is_given_up(store, make, alive):
    made = make(**alive)
    time = HandMoved()
    follower = Follower(store, clock=time.clock)
    job = store.root / "jobs" / "2"
    job.write_text("")
    follower.poll()
    time.now_s += follow.PENDING_S + 1
    follower.poll()
    job.write_text(made.commis_id)
    assert told(follower) == []


def test_nothing_needs_to_be_there_yet_and_a_store_may_begin_anew(store, make, alive):
    follower = Follower(store)
    assert told(follower) == []
    make(**alive)
    make(**alive)
    assert told(follower) == [(1, "started"), (2, "started")]
    store.root.rename(store.root.with_name("away"))
    assert told(follower) == []
    commis_id, _ = CommisStore(store.root).create("anew", make.begun_us)
    store.save_metadata(replace(make.last, commis_id=commis_id))
    assert told(follower) == [(1, "started")]


def test_a_large_store_is_replayed_in_parts(store, make, monkeypatch):
    monkeypatch.setattr(follow, "JOBS_PER_POLL", 2)
    for _ in range(5):
        make()
    follower = Follower(store, from_start=True)
    jobs = []
    while follower.behind:
        jobs.append([job for job, what in told(follower) if what == "started"])
    assert jobs == [[1, 2], [3, 4], [5]]


def test_only_so_many_that_ended_are_watched(store, make, monkeypatch):
    monkeypatch.setattr(follow, "MAX_ENDED", 2)
    made = [make(status="interrupted") for _ in range(3)]
    follower = Follower(store)
    follower.poll()
    for item in made:
        store.save_metadata(replace(item, segments=2, status="success"))
    assert [job for job, what in told(follower) if what == "resumed"] == [2, 3]


@pytest.mark.parametrize("change", ["shrinks", "vanishes", "is replaced"])
def test_a_file_that_begins_anew_is_read_anew(tmp_path, change):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n")
    cursor = LineCursor(path)
    assert list(cursor.new_lines()) == [b"one\n", b"two\n"]
    if change == "shrinks":
        os.truncate(path, 4)
        assert list(cursor.new_lines()) == [b"one\n"]
        return
    if change == "vanishes":
        path.unlink()
        assert list(cursor.new_lines()) == []
        path.write_bytes(b"one\ntwo\nthree\n")
    else:
        other = tmp_path / "other"
        other.write_bytes(b"one\ntwo\nthree\n")
        other.replace(path)
    assert list(cursor.new_lines()) == [b"one\n", b"two\n", b"three\n"]


def test_a_cursor_at_the_end_still_takes_a_line_that_was_unfinished(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntw")
    cursor = LineCursor(path, at_end=True)
    with path.open("ab") as file:
        file.write(b"o\n")
    assert list(cursor.new_lines()) == [b"two\n"]
