from __future__ import annotations

import pytest

from tests.tools.conftest import Desk, Made
from zerg_visibility.records.runs import CommisRunRecord
from zerg_visibility.store.metadata import DescendantTotals

ALL = (
    ("read_commis_result", {}),
    ("read_commis_file", {"file_path": "result.txt"}),
    ("get_commis_metadata", {}),
    ("get_commis_metrics", {}),
)


@pytest.mark.parametrize(("tool", "args"), ALL)
class TestUnknownJobs:
    def test_the_nearest_choices_are_named(self, desk: Desk, tool, args):
        for _ in range(7):
            desk.commis()
        assert desk.error(tool, job_id=999, **args) == (
            "Error: Commis job 999 not found. Recent jobs: 7, 6, 5, 4, 3."
        )

    def test_an_empty_store_has_none_to_name(self, desk: Desk, tool, args):
        assert desk.error(tool, job_id="1", **args) == (
            "Error: Commis job 1 not found. There are no recent jobs."
        )

    @pytest.mark.parametrize(
        ("job", "echoed"),
        [
            (0, "0"),
            (-1, "-1"),
            (10**30, "1" + "0" * 30),
            ("../1", "../1"),
            ("1\n2", "1 2"),
            ("", "''"),
            ("job", "job"),
            ("##1", "##1"),
            ("job 01", "job 01"),
            ("job 1\n", "job 1"),
            ("2025-12-15T04-08-08_none", "2025-12-15T04-08-08_none"),
            ("x" * 500, "x" * 79 + "…"),
        ],
    )
    def test_nothing_but_a_real_id_finds_anything(self, desk: Desk, tool, args, job, echoed):
        desk.commis()
        assert desk.error(tool, job_id=job, **args) == (
            f"Error: Commis job {echoed} not found. Recent jobs: 1."
        )

    @pytest.mark.parametrize("job", ["job 1", "Job 1", "commis job 1", "#1", "job #1", " 1 "])
    def test_a_job_may_be_named_as_answers_name_it(self, desk: Desk, tool, args, job):
        desk.commis(duration_ms=98, result="metrics.jsonl")
        plain = desk.answer(tool, job_id=1, **args)
        assert desk.answer(tool, job_id=job, **args) == plain

    def test_another_owners_commis_reads_as_not_found(self, desk: Desk, tool, args):
        hers = desk.commis(owner_id="alice", result="hers")
        desk.commis(owner_id="bob", result="his")
        nobodys = desk.commis(result="nobody's")
        for owner, foreign, known in (
            ("bob", hers, 2),
            (None, hers, 3),
            ("alice", nobodys, 1),
            ("", hers, None),
        ):
            recent = "There are no recent jobs." if known is None else f"Recent jobs: {known}."
            for job in (foreign.job_id, foreign.commis_id):
                error = desk.error(tool, job_id=job, toolkit={"owner_id": owner}, **args)
                assert error == f"Error: Commis job {job} not found. {recent}"

    def test_an_owner_reads_what_is_its_own(self, desk: Desk, tool, args):
        made = desk.commis(owner_id="alice", result="hers", duration_ms=1)
        answer = desk.answer(tool, job_id=1, toolkit={"owner_id": "alice"}, **args)
        assert made.commis_id in answer


class TestOwnerUnknown:
    def test_unreadable_metadata_is_shown_to_no_owner(self, desk: Desk):
        made = desk.commis(owner_id="alice", result="hers")
        (made.folder / "metadata.json").write_bytes(b"{")
        error = desk.error("read_commis_result", job_id=1, toolkit={"owner_id": "alice"})
        assert error == "Error: Commis job 1 not found. There are no recent jobs."

    def test_where_owners_are_in_use_it_is_shown_to_nobody(self, desk: Desk):
        hers = desk.commis(owner_id="alice", result="hers")
        desk.commis(owner_id="bob")
        desk.commis()
        (hers.folder / "metadata.json").write_bytes(b"{")
        for args in ({"job_id": 1}, {"job_id": hers.commis_id}):
            error = desk.error("read_commis_result", **args)
            assert error.endswith("not found. Recent jobs: 3.")
        assert "job 1" not in desk.answer("list_commis")
        assert "hers" not in desk.answer("grep_commis", pattern="er")

    def test_elsewhere_it_is_listed(self, desk: Desk):
        made = desk.commis()
        desk.commis(name="?")
        (made.folder / "metadata.json").write_bytes(b"{")
        assert desk.error("read_commis_result", job_id=9) == (
            "Error: Commis job 9 not found. Recent jobs: 2, 1."
        )


@pytest.mark.parametrize(("tool", "args"), [("list_commis", {}), ("grep_commis", {"pattern": "c"})])
def test_lists_hold_the_owners_own_only(desk: Desk, tool, args):
    desk.commis(owner_id="alice", result="c")
    desk.commis(owner_id="bob", result="c")
    desk.commis(result="c")
    for owner, job in (("alice", 1), ("bob", 2), (None, 3)):
        answer = desk.answer(tool, toolkit={"owner_id": owner}, **args)
        assert [n for n in (1, 2, 3) if f"job {n}" in answer] == [job]


class TestRelativesOfAnotherOwner:
    """A commis of Alice's that started one of Bob's, and one that Bob's started."""

    def of_alice(self, desk: Desk) -> tuple[Made, Made]:
        his = desk.commis("Bob's plan", owner_id="bob")
        hers = desk.commis(owner_id="alice", parent_commis_id=his.commis_id)
        runs = tuple(
            CommisRunRecord(
                start_us=1, end_us=2, name=name, job_id=one.job_id, commis_id=one.commis_id,
                status="failed",
            )
            for one, name in ((his, "bobs-own"), (hers, "alices-own"))
        )  # fmt: skip
        sums = DescendantTotals(jobs=2, llm_calls=77, total_tokens=7777)
        return hers, desk.commis(owner_id="alice", records=runs, descendants=sums)

    def test_a_child_is_neither_named_nor_counted_nor_added_up(self, desk: Desk):
        _, outer = self.of_alice(desk)
        alice = {"owner_id": "alice", "detail": "full"}
        for tool in ("get_commis_metrics", "read_commis_result"):
            answer = desk.answer(tool, job_id=outer.job_id, toolkit=alice)
            assert "It started 1 child job (#2 alices-own (failed))." in answer
            assert "77" not in answer
        metadata = desk.answer("get_commis_metadata", job_id=outer.job_id, toolkit=alice)
        assert '"descendants": null' in metadata

    @pytest.mark.parametrize(
        ("tool", "args"),
        [("get_commis_metadata", {}), ("read_commis_file", {"file_path": "metadata.json"})],
    )
    def test_a_parent_is_not_told(self, desk: Desk, tool, args):
        inner, _ = self.of_alice(desk)
        answer = desk.answer(tool, job_id=inner.job_id, toolkit={"owner_id": "alice"}, **args)
        assert inner.commis_id in answer
        assert "bob" not in answer.lower()

    def test_ones_own_are_told(self, desk: Desk):
        above = desk.commis(owner_id="alice")
        run = CommisRunRecord(
            start_us=1, end_us=2, name="hers", job_id=above.job_id, commis_id=above.commis_id,
            status="success",
        )  # fmt: skip
        sums = DescendantTotals(jobs=1, llm_calls=77)
        made = desk.commis(
            owner_id="alice", parent_commis_id=above.commis_id, records=(run,), descendants=sums
        )
        alice = {"owner_id": "alice"}
        metrics = desk.answer("get_commis_metrics", job_id=made.job_id, toolkit=alice)
        assert "With its 1 child job (#1 hers): 77 LLM calls, 0 tool calls." in metrics
        metadata = desk.answer("get_commis_metadata", job_id=made.job_id, toolkit=alice)
        assert f'"parent_commis_id": "{above.commis_id}"' in metadata
