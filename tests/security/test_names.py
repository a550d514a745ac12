"""Whatever a model or a user names, no read or write leaves the store or crosses an owner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.scripted import calculator, run
from tests.security import places
from tests.security.names import everything, examples, hostile_texts, paths
from tests.security.places import CANARY, FOR_EVER, OWN_TEXT, START_US, Place
from zerg_visibility import (
    CommisMetadata,
    CommisNotFoundError,
    CommisStore,
    ConfigurationError,
    FileNotInCommisError,
    create_commis_node,
)
from zerg_visibility.store import layout
from zerg_visibility.store.files import make_folder

READING_TOOLS = ("read_commis_result", "get_commis_metadata", "get_commis_metrics")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return places.build(tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_written(place: Place) -> Iterator[None]:
    before = place.everything()
    yield
    assert place.everything() == before


ALMOST_NUMBERS = ["1 ", "\u0662", "+2", "2.0", "0x2", "02", "2\n"]
jobs = st.one_of(paths, st.integers(), st.integers(1, 5).map(str), st.sampled_from(ALMOST_NUMBERS))


@examples()
@given(path=paths)
@example(path="link_to_file")
@example(path="link_to_folder/secret")
@example(path="link_to_other/result.txt")
@example(path="../../secret")
@example(path="tool_calls/../../../secret")
@example(path=".metadata.json.1.1.tmp")
def test_no_path_leads_out_of_the_commis(path, place):
    answer = place.ask("read_commis_file", job_id=place.own, file_path=path)
    assert CANARY not in answer
    with contextlib.suppress(FileNotInCommisError):
        with place.store.open_file(place.own, path) as file:
            assert CANARY.encode() not in file.read()
        assert not Path(path).is_absolute()


@examples()
@given(job=jobs, path=paths)
def test_no_job_leads_to_another_owner(job, path, place):
    for tool in READING_TOOLS:
        assert CANARY not in place.ask(tool, job_id=job)
    assert CANARY not in place.ask("read_commis_file", job_id=job, file_path=path)


@pytest.mark.parametrize("tool", READING_TOOLS)
def test_anothers_commis_is_answered_like_one_that_does_not_exist(tool, place):
    def refusal(job: object) -> str:
        return place.ask(tool, job_id=job).replace(str(job), "JOB")

    missing = refusal(99)
    assert "not found" in missing
    assert [refusal(job) for job in (2, 3, place.other, place.nobodys)] == [missing] * 4


@examples(divided_by=10)
@given(pattern=st.one_of(hostile_texts, st.just(CANARY), st.just("."), paths), regex=st.booleans())
@example(pattern=CANARY, regex=False)
@example(pattern=".*", regex=True)
@example(pattern="", regex=True)
def test_no_pattern_finds_what_is_anothers(pattern, regex, place):
    answer = place.ask("grep_commis", pattern=pattern, regex=regex, since_hours=FOR_EVER)
    # The pattern itself may be repeated.
    assert CANARY not in answer.replace(pattern, "")


def test_a_pattern_finds_what_is_ones_own(place):
    assert OWN_TEXT in place.ask("grep_commis", pattern="alice", since_hours=FOR_EVER)


@examples()
@given(status=st.one_of(st.none(), hostile_texts), limit=st.integers(-5, 500))
def test_no_listing_shows_anothers(status, limit, place):
    listed = place.ask("list_commis", status=status, limit=limit, since_hours=FOR_EVER)
    assert CANARY not in listed


owners = st.one_of(st.none(), st.text(max_size=12), hostile_texts.filter(str.isprintable))


@examples()
@given(owner=owners, reader=owners)
@example(owner=None, reader="")
@example(owner="", reader=None)
@example(owner="alice", reader="Alice")
@example(owner="alice", reader="alice ")
@example(owner="null", reader=None)
@example(owner="é", reader="e\u0301")
def test_only_the_same_owner_sees_a_commis(owner, reader, tmp_path_factory):
    store = CommisStore(tmp_path_factory.mktemp("owners"))
    commis_id = places.add_commis(store, CANARY, owner)
    place = Place(store.root, store, commis_id, commis_id, commis_id)

    answers = [
        place.ask("read_commis_result", reader, job_id=1),
        place.ask("read_commis_file", reader, job_id=commis_id, file_path="result.txt"),
        place.ask("list_commis", reader, since_hours=FOR_EVER),
    ]

    seen = [CANARY in answer for answer in answers]
    assert seen == [owner == reader] * 3


@pytest.mark.parametrize("reader", ["?", "??", "\ufffd", "\\ud800", ""])
def test_an_owner_that_no_file_can_hold_is_nobody_else(reader, store):
    """A lone surrogate has no form in UTF-8: such an owner is refused, or at least kept apart."""
    try:
        node = create_commis_node(calculator(), store=store, owner_id="\ud800")
    except ConfigurationError:
        return
    run(node)
    place = Place(store.root, store, "", "", "")
    assert "not found" in place.ask("read_commis_result", reader, job_id=1)


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> CommisStore:
    return CommisStore(tmp_path_factory.mktemp("growing") / "data")


@examples()
@given(task=st.one_of(hostile_texts, paths, st.text(everything, max_size=300)))
@example(task="../../etc/passwd")
@example(task="x" * 100_000)
@example(task="ﷺ" * 50)
@example(task="")
def test_a_task_becomes_a_folder_of_the_store(task, growing):
    commis_id, job_id = growing.create(task, START_US)

    folder = growing.folder(commis_id)
    assert folder.is_dir()
    assert folder.parent == growing.root / "commis"
    assert folder.resolve() == folder
    assert commis_id.isascii()
    assert len(commis_id) < 80
    assert growing.find(job_id) == commis_id
    assert {path.name for path in growing.root.parent.iterdir()} == {"data"}
    assert {path.name for path in growing.root.iterdir()} == {"commis", "jobs"}


@examples()
@given(tool=st.one_of(hostile_texts, paths), number=st.integers(1, 10**6))
def test_a_tools_name_becomes_a_file_of_its_commis(tool, number, growing, tmp_path):
    name = layout.tool_output_name(number, tool)
    folder = tmp_path / "commis"
    path = folder / name

    make_folder(folder, growing.modes)
    path.unlink(missing_ok=True)
    growing.write_file(path, b"output")

    assert path.resolve().parent == folder.resolve() / "tool_calls"
    assert path.name.isascii()
    assert len(path.name) < 100
    # It can be read again under the name that the record says.
    assert layout.relative_parts(name) == ("tool_calls", path.name)
    assert {one.name for one in tmp_path.iterdir()} == {"commis"}


@examples()
@given(text=st.one_of(paths, hostile_texts))
@example(text="2025-12-15T04-08-08_../../x")
@example(text="2025-12-15T04-08-08_a\n")
@example(text="2025-12-15T04-08-08_a/../b")
def test_only_ids_that_a_store_makes_become_folders(text, growing):
    if layout.is_own_id(text):
        assert growing.folder(text).parent == growing.root / "commis"
        return
    if layout.job_number(text) is None:
        with pytest.raises(CommisNotFoundError):
            growing.folder(text)
    with pytest.raises(ValueError, match="not an id of this store"):
        growing.save_metadata(CommisMetadata(commis_id=text))


@examples()
@given(content=st.one_of(paths, hostile_texts))
def test_a_job_file_leads_nowhere_else(content, place, tmp_path_factory):
    root = tmp_path_factory.mktemp("jobs")
    (root / "secret").write_text(CANARY)
    make_folder(root / "data" / "jobs", place.store.modes)
    (root / "data" / "jobs" / "1").write_bytes(content.encode("utf-8", "surrogatepass"))
    store = CommisStore(root / "data")
    assert "not found" in Place(root, store, "", "", "").ask("read_commis_result", job_id=1)
    assert all(commis.commis_id.isascii() for commis in store.recent())
