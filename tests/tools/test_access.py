from __future__ import annotations

import pytest

from tests.tools.conftest import Desk

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
