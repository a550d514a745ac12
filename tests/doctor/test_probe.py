import pytest

from zerg_visibility import CommisStore, VisibilityError
from zerg_visibility.doctor.probe import run_probe


def test_the_probe_leaves_a_commis_with_all_three_records(tmp_path):
    metadata = run_probe(tmp_path)

    assert (metadata.status, metadata.job_id, metadata.dropped_records) == ("success", 1, 0)
    assert (metadata.totals.llm_calls, metadata.totals.tool_calls) == (2, 1)
    store = CommisStore(tmp_path)
    assert store.result(metadata.commis_id) == "The result is 42."
    assert [record.event for record in store.records(metadata.commis_id).items] == [
        "llm_call",
        "tool_call",
        "llm_call",
    ]


def test_a_second_probe_is_a_second_job(tmp_path):
    run_probe(tmp_path)

    assert run_probe(tmp_path).job_id == 2


def test_where_nothing_can_be_written_it_says_so(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(VisibilityError, match=r"file cannot be written to$"):
        run_probe(tmp_path / "file")
