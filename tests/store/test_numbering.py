import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import all_at_once
from zerg_visibility import CommisStore
from zerg_visibility.clock import parse_us
from zerg_visibility.store.ids import first_free

NOON = parse_us("2025-12-15T12:00:00Z")

CREATE_200 = """
    import json, sys
    from zerg_visibility import CommisStore
    number, root, now = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    store = CommisStore(root)
    print("ready", flush=True)
    sys.stdin.readline()
    # Half of the tasks are the same in all processes, at the same second.
    made = [
        store.create("Calculate 7*6" if n % 2 else f"Task {number} {n}", now) for n in range(200)
    ]
    print(json.dumps(made))
"""


@given(taken=st.integers(0, 100_000), start=st.integers(1, 1000))
def test_the_first_free_number_is_found(taken, start):
    assert first_free(lambda n: n <= taken, start) == max(taken + 1, start)


@given(st.sets(st.integers(1, 60)), st.integers(1, 60))
def test_with_gaps_a_free_number_after_a_taken_one_is_found(taken, start):
    found = first_free(taken.__contains__, start)
    assert found >= start
    assert found not in taken
    assert found == start or found - 1 in taken


@pytest.mark.parametrize("count", [0, 1, 1000, 100_000])
def test_the_number_of_questions_hardly_grows(count):
    asked = []

    def taken(number):
        asked.append(number)
        return number <= count

    assert first_free(taken, 1) == count + 1
    assert len(asked) <= 36


def test_ids_are_unique_over_eight_processes(tmp_path):
    root = tmp_path / "data"
    made = [
        (commis_id, job_id)
        for out in all_at_once(CREATE_200, 8, root, NOON)
        for commis_id, job_id in json.loads(out)
    ]
    assert len(made) == len({commis_id for commis_id, _ in made}) == 1600
    assert sorted(job_id for _, job_id in made) == list(range(1, 1601))

    store = CommisStore(root)
    assert all(store.find(job_id) == commis_id for commis_id, job_id in made)
    assert {path.name for path in (root / "commis").iterdir()} == {name for name, _ in made}
    same = {name for name, _ in made if name.startswith("2025-12-15T12-00-00_calculate-7-6")}
    assert same == {
        "2025-12-15T12-00-00_calculate-7-6",
        *(f"2025-12-15T12-00-00_calculate-7-6-{n}" for n in range(2, 801)),
    }
    assert store.newest_job() == 1600


def test_a_job_number_is_never_given_again(store):
    first, _ = store.create("One", NOON)
    store.folder(first).rmdir()
    assert store.create("Two", NOON)[1] == 2
    assert CommisStore(store.root).create("Three", NOON)[1] == 3
