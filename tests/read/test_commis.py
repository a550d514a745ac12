"""`store.commis(...)`: one commis as it stands."""

from __future__ import annotations

import os
import time

import pytest

from tests.cli.samples import SECOND, append, llm, run, start, tool
from tests.processes import python, running
from zerg_visibility import Commis, CommisNotFoundError, CommisStore
from zerg_visibility.clock import format_us
from zerg_visibility.records.codec import json_line
from zerg_visibility.records.started import CallStarted


def test_it_is_found_by_job_and_by_commis_id(store, make):
    made = make("Calculate 7*6", lambda t: [llm(t, 1000), tool(t + SECOND, 500)])
    for job in (1, "1", made.commis_id):
        found = store.commis(job)
        assert isinstance(found, Commis)
        assert (found.commis_id, found.job_id) == (made.commis_id, 1)
        assert found.metadata == made
        assert found.records == store.records(1)
        assert (found.timeline.llm_ms, found.timeline.tool_ms) == (1000, 500)
        assert (found.start_us, found.until_us) == (
            make.begun_us - SECOND,
            found.start_us + 1500_000,
        )
        assert (found.result, found.files) == (None, ("metadata.json", "metrics.jsonl"))
    with pytest.raises(CommisNotFoundError, match="no commis '2'"):
        store.commis("2")


def test_its_files_are_read_once(store, make):
    make(records=lambda t: [llm(t, 5)], starts=lambda t: [start(t, "tool_call", "x")])
    code = """
        import sys
        from collections import Counter
        opened = Counter()
        from zerg_visibility import CommisStore
        store = CommisStore(sys.argv[1])
        def count(event, args):
            if event == "open":
                opened[str(args[0]).rpartition("/")[2]] += 1
        sys.addaudithook(count)
        found = store.commis(1)
        found.to_dict(), found.to_dict(), repr(found), found._repr_html_(), found.stopped
        print({name: opened[name] for name in ("metadata.json", "metrics.jsonl", "started.jsonl")})
    """
    assert python(code, store.root) == (
        "{'metadata.json': 1, 'metrics.jsonl': 1, 'started.jsonl': 1}\n"
    )


def test_it_stays_as_it_was_when_it_was_read(store, make, alive):
    made = make(records=lambda t: [llm(t, 5)], **alive)
    before = store.commis(1)
    append(store, made.commis_id, tool(make.begun_us, 5))
    assert (len(before.records), before.metadata.totals.tool_calls) == (1, 0)
    assert (len(store.commis(1).records), store.commis(1).metadata.totals.tool_calls) == (2, 1)


@pytest.mark.parametrize(
    ("status", "in_flight", "waiting", "stopped", "child"),
    [
        ("running", ["late"], [], ["early"], "running"),
        ("dead", ["late"], [], ["early"], "lost"),
        ("interrupted", [], ["late"], ["early"], "waiting"),
        ("success", [], [], ["early", "late"], "stopped"),
        ("failed", [], [], ["early", "late"], "stopped"),
        ("of_a_newer_version", [], [], ["early", "late"], "stopped"),
    ],
)
def test_what_has_no_record_is_told_apart_by_how_the_commis_stands(
    store, make, dead, status, in_flight, waiting, stopped, child
):
    standing = dead if status == "dead" else {"status": status}
    make(
        records=lambda t: [llm(t, 1000, span_id="e" * 16)],
        starts=lambda t: [
            start(t, "llm_call", "ended", "e" * 16),
            start(t + 5 * SECOND, "tool_call", "early", "c" * 16),
            start(t + 7 * SECOND, "tool_call", "late", "d" * 16),
            CallStarted(
                event="commis_run",
                name="child",
                span_id="f" * 16,
                start_us=t + 8 * SECOND,
                commis_id="2025-12-15T04-08-08_x",
            ),
        ],
        segment_started_at=format_us(make.begun_us + 6 * SECOND),
        **standing,
    )
    found = store.commis(1)
    names = [
        [start.name for start in starts]
        for starts in (found.in_flight, found.waiting, found.stopped)
    ]
    assert names == [in_flight, waiting, stopped]
    assert [(one.name, one.status) for one in found.children] == [("child", child)]
    assert store.calls_in_flight(1) == found.in_flight


def test_its_children_are_told_each_once_with_how_they_stand(store, make):
    child = "2025-12-15T04-08-08_x"
    make(
        records=lambda t: [
            run(t + SECOND, 5, name="other", job_id=8, commis_id=f"{child}-2"),
            run(t, 5, name="x", job_id=7, commis_id=child, status="interrupted"),
            run(t + 2 * SECOND, 5, name="x", job_id=7, commis_id=child, status="failed"),
        ]
    )
    found = [(one.job_id, one.name, one.status) for one in store.commis(1).children]
    assert found == [(7, "x", "failed"), (8, "other", "success")]


def test_what_is_torn_unreadable_or_newer_is_counted(store, make):
    made = make(records=lambda t: [llm(t, 5)])
    with (store.folder(made.commis_id) / "metrics.jsonl").open("a") as file:
        file.write('not json\n{"event":"budget"}\n{"event":"alert","rule":"x"}\n{torn')
    records = store.commis(1).records
    assert (len(records), records.unreadable, records.newer, records.torn) == (1, 1, 2, True)
    shown = store.commis(1).to_dict()
    assert (shown["unreadable_lines"], shown["newer_lines"], shown["torn_last_line"]) == (
        1,
        2,
        True,
    )


@pytest.mark.parametrize("broken", [b"[]", b"{torn", None])
def test_without_its_metadata_it_is_given_as_far_as_it_goes(store, make, broken):
    made = make(records=lambda t: [tool(t, 5)])
    path = store.folder(made.commis_id) / "metadata.json"
    path.unlink() if broken is None else path.write_bytes(broken)
    found = store.commis(1)
    assert found.problem is not None
    assert "metadata.json" in found.problem
    assert (found.status, found.job_id, len(found.records)) == ("lost", 1, 1)
    assert not next(store.recent()).readable
    assert store.commis(1).metadata.totals.tool_calls == 1


def test_a_name_of_a_question_mark_is_a_name(store, make):
    make(name="?")
    assert store.commis(1).problem is None


def test_it_shows_itself(store, make):
    make("<b>Calculate</b>", lambda t: [llm(t, 1000), tool(t + SECOND, 500)], name="a & b")
    found = store.commis(1)
    assert repr(found) == (f"<commis job 1 (commis {found.commis_id}): success, 1.5s, 2 calls>")
    html = found._repr_html_()
    assert "<tr><th>name</th><td>a &amp; b</td></tr>" in html
    assert "&lt;b&gt;Calculate" in html
    assert "<tr><th>LLM</th><td>1.0s in 1 call</td></tr>" in html


def test_a_thousand_records_are_read_in_milliseconds(store, make):
    make(
        records=lambda t: [
            (llm if number % 2 else tool)(t + number * 1000, 1) for number in range(1000)
        ]
    )
    spent = []
    for _ in range(7):
        began = time.process_time()
        assert len(store.commis(1).timeline.calls) == 1000
        spent.append(time.process_time() - began)
    assert min(spent) < 0.060  # 0.012 on the slow machine that this was written on


WORKER = """
    import sys
    from langchain_core.tools import tool
    from langchain.agents import create_agent
    from tests.scripted import asks, says
    from zerg_visibility import *
    from zerg_visibility.testing import ScriptedChatModel

    store = CommisStore(sys.argv[1])

    @tool
    def hang() -> str:
        "Never answers."
        print("ready", flush=True)
        return sys.stdin.readline()

    def agent(model, tools):
        return create_agent(ScriptedChatModel(script=model), tools=tools)

    inner = agent([asks("hang"), says("done")], [hang])
    research = create_commis_tool(inner, name="research", description="Looks.", store=store)
    lead = agent([asks("research", task="Look it up"), says("told")], [research])
    lead.invoke({"messages": [("user", "Go")]},
                {"callbacks": [VisibilityCallbackHandler(store)], "run_name": "lead"})
"""


def test_one_at_work_and_one_that_was_killed(store):
    with running(WORKER, store.root):
        found = store.commis(1)
        assert (found.status, [call.name for call in found.in_flight]) == ("running", ["hang"])
        assert found.metadata.totals.llm_calls == 1
        concierge = next(store.concierges())
        assert (concierge.status, concierge.name, concierge.run) == ("running", "lead", None)
        assert [call.name for call in concierge.in_flight] == ["research"]
        trace = store.trace(1)
        assert {(span.kind, span.name, span.status, span.end_us) for span in trace.spans} >= {
            ("concierge", "lead", "running", None),
            ("tool_call", "research", "running", None),
            ("commis", "research", "running", None),
            ("tool_call", "hang", "running", None),
        }
    found = store.commis(1)
    assert (found.status, [call.name for call in found.in_flight]) == ("lost", ["hang"])
    assert found.until_us == found.sign_of_life_us
    concierge = store.concierge(concierge.concierge_id)
    assert (concierge.status, [call.name for call in concierge.in_flight]) == ("lost", ["research"])
    assert concierge.until_us == concierge.sign_of_life_us
    spans = store.trace(concierge.concierge_id).spans
    assert {span.span_id for span in spans} == {span.span_id for span in trace.spans}
    assert [span.status for span in spans if span.end_us is None] == ["lost"] * 4
    assert CommisStore(store.root).trace(1).to_dict()["spans"] == [one.to_dict() for one in spans]


def begins(t: int, made) -> CallStarted:
    return CallStarted(
        event="commis_run", name="helper", span_id="cd" * 8, start_us=t, job_id=made.job_id,
        commis_id=made.commis_id,
    )  # fmt: skip


def test_what_runs_below_one_is_a_sign_of_its_life(store, make, dead):
    inner = make("inner", starts=lambda t: [start(t, "tool_call", "ssh_exec")], **dead)
    middle = make("middle", starts=lambda t: [begins(t, inner)], **dead)
    outer = make("outer", starts=lambda t: [begins(t, middle)], **dead)
    began = make.begun_us // SECOND
    for made, seconds in ((outer, 0), (middle, 60), (inner, 120)):
        for name in store.files(made.commis_id):
            os.utime(store.folder(made.commis_id) / name, (began + seconds, began + seconds))
    seen = [store.commis(made.job_id).sign_of_life_us for made in (inner, middle, outer)]
    assert seen == [(began + 120) * SECOND] * 3
    assert store.commis(outer.job_id).at_work_ms > 120_000


def test_one_that_is_said_to_run_below_itself_is_asked_once(store, make, alive):
    made = make(**alive)
    file = store.append_file(store.folder(made.commis_id) / "started.jsonl")
    file.append(json_line(begins(make.begun_us, made).to_dict()))
    file.close()
    assert store.commis(1).sign_of_life_us is not None
