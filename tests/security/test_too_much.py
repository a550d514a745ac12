"""Patterns that never end and files that fit in no memory."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.processes import python
from tests.security import places
from tests.security.names import everything, examples
from tests.security.places import FOR_EVER, Place
from zerg_visibility import CommisStore
from zerg_visibility.tools import search

ENDLESS = [
    ("(a+)+$", "a" * 60 + "!"),
    ("(a|a)*$", "a" * 60 + "!"),
    ("(a|aa)+$", "a" * 80 + "!"),
    (r"^(\w+\s?)*$", "word " * 30 + "!"),
    (r"(.*)*x", "a" * 5000),
    (r"(?:(?:a?){30}){30}b", "a" * 100),
    ("(x+x+)+y", "x" * 60),
]


def place_with(store: CommisStore, text: str) -> Place:
    commis_id = places.add_commis(store, "nothing", None)
    store.save_text(commis_id, "result.txt", text)
    return Place(store.root, store, commis_id, commis_id, commis_id)


@pytest.mark.parametrize(("pattern", "text"), ENDLESS)
def test_a_pattern_that_never_ends_is_stopped(pattern, text, store, monkeypatch):
    monkeypatch.setattr(search, "SEARCH_S", 0.3)
    place = place_with(store, text)
    began = time.monotonic()
    answer = place.ask("grep_commis", None, pattern=pattern, regex=True, since_hours=FOR_EVER)
    # Generous, for a machine that is busy with other things: unstopped it takes years.
    assert time.monotonic() - began < 30
    assert "stopped" in answer or "No match" in answer or "match" in answer


@examples(divided_by=10)
@given(pattern=st.text(st.one_of(st.sampled_from("()[]{}*+?|\\^$.a1,-"), everything), max_size=30))
@example(pattern="(?P<a>")
@example(pattern="(" * 500)
@example(pattern="a{999999999999}")
@example(pattern="\\")
def test_any_text_is_a_pattern_or_an_error_in_words(pattern, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SEARCH_S", 1.0)
        place = place_with(CommisStore(tmp_path_factory.mktemp("grep")), "aaa111\n")
        answer = place.ask("grep_commis", None, pattern=pattern, regex=True, since_hours=FOR_EVER)
    assert "Traceback" not in answer
    assert answer


@pytest.mark.parametrize("regex", [False, True])
def test_a_huge_line_is_searched_in_bounded_pieces(regex, store):
    place = place_with(store, "x" * 20_000_000 + "needle" + "y" * 1_000_000)
    answer = place.ask("grep_commis", None, pattern="needle", regex=regex, since_hours=FOR_EVER)
    assert "needle" in answer
    assert len(answer) < 2_000


HUGE = """
import json, os, resource, sys
from tests.security import places
from tests.security.places import FOR_EVER, Place
from zerg_visibility import CommisStore
store = CommisStore(sys.argv[1])
commis_id = places.add_commis(store, "x", None)
place = Place(store.root, store, commis_id, commis_id, commis_id)
for name in ("result.txt", "metrics.jsonl", "started.jsonl"):
    with (store.folder(commis_id) / name).open("wb") as file:
        file.truncate(600 * 1024**2)
def used():
    return max(resource.getrusage(who).ru_maxrss for who in
               (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
place.ask("list_commis", None, since_hours=FOR_EVER)
before = used()
grown = {}
def measure(what, **arguments):
    answer = place.ask(what, None, **arguments)
    grown[what] = (round(used() - before), len(answer))
measure("read_commis_file", job_id=1, file_path="result.txt")
measure("read_commis_result", job_id=1)
measure("get_commis_metrics", job_id=1)
measure("get_commis_metadata", job_id=1)
measure("grep_commis", pattern="needle", since_hours=FOR_EVER)
print(json.dumps(grown))
"""


def test_six_hundred_megabytes_are_never_loaded_whole(tmp_path):
    grown = json.loads(python(HUGE, tmp_path / "data"))
    assert {what: megabytes for what, (megabytes, _) in grown.items() if megabytes > 150} == {}
    assert max(length for _, length in grown.values()) < 40_000
