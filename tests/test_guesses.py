"""What Python users try first: it works, or the error says what to write instead."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import pickle
from itertools import islice

import pytest

from tests.scripted import calculator, run
from zerg_visibility import (
    CommisMetadata,
    CommisNotFoundError,
    CommisStore,
    ConciergeToolkit,
    ConfigurationError,
    MetadataUnreadableError,
    VisibilityCallbackHandler,
    create_commis_node,
)

ASK = {"messages": [("user", "Calculate 7*6")]}


@pytest.fixture
def commis_id(store, handler):
    run(create_commis_node(calculator(), store=store), "Calculate 7*6", handler)
    return store.find(1)


def _open_result(store: CommisStore, job: str | int) -> bytes:
    with store.open_file(job, "result.txt") as file:
        return file.read()


class TestNames:
    """Everything that reads one commis takes a job id as well as a commis id."""

    READERS = (
        CommisStore.metadata,
        CommisStore.records,
        CommisStore.result,
        CommisStore.files,
        CommisStore.folder,
        CommisStore.calls_in_flight,
        CommisStore.last_sign_of_life,
        _open_result,
    )

    @pytest.mark.parametrize("read", READERS)
    def test_a_job_may_be_a_number_a_text_or_a_commis_id(self, read, store, commis_id):
        wanted = read(store, commis_id)
        assert read(store, 1) == wanted
        assert read(store, "1") == wanted
        assert wanted is not None

    @pytest.mark.parametrize("read", READERS)
    @pytest.mark.parametrize("job", [2, "2", 0, True, None, 1.0, "../1", "no such commis"])
    def test_another_is_not_found(self, read, job, store, commis_id):
        assert commis_id
        with pytest.raises(CommisNotFoundError, match=r"no commis '.*' in "):
            read(store, job)

    def test_a_commis_id_that_is_not_there_is_not_found(self, store, commis_id):
        for read in (CommisStore.metadata, CommisStore.records, CommisStore.result):
            with pytest.raises(CommisNotFoundError):
                read(store, f"{commis_id}-2")

    def test_one_whose_metadata_is_gone_is_there_all_the_same(self, store, commis_id):
        (store.folder(1) / "metadata.json").unlink()
        with pytest.raises(MetadataUnreadableError):
            store.metadata(1)
        assert len(store.records(1)) == 3


def test_records_are_a_sequence(store, commis_id):
    read = store.records(1)
    assert [record.event for record in read] == ["llm_call", "tool_call", "llm_call"]
    assert len(read) == 3
    assert read[0] is read.items[0]
    assert read[-1] is read.items[-1]
    assert list(store.records(commis_id)) == list(read)


@pytest.mark.parametrize("capture", [["results"], {"result", "results"}, ("result", 7)])
def test_a_wrong_word_of_capture_is_named(capture):
    wrong = "'results'" if "results" in capture else "a int"
    said = f"one of result, messages, tool_inputs, tool_outputs, starts, not {wrong}"
    with pytest.raises(ConfigurationError, match=said):
        create_commis_node(calculator(), capture=capture)


class TestCallbacksWithoutAList:
    SAID = r"callbacks must be a list: write config=\{\"callbacks\": \[handler\]\}"

    def test_a_graph(self, handler):
        with pytest.raises(AttributeError, match=self.SAID):
            calculator().invoke(ASK, {"callbacks": handler})
        with pytest.raises(AttributeError, match=self.SAID):
            asyncio.run(calculator().ainvoke(ASK, {"callbacks": handler}))

    def test_a_commis(self, store, handler):
        with pytest.raises(AttributeError, match=self.SAID):
            create_commis_node(calculator(), store=store).invoke(ASK, {"callbacks": handler})

    def test_a_handler_has_no_such_attribute(self, handler):
        assert not hasattr(handler, "parent_run_id")


class TestPickling:
    def test_a_store_is_the_same_store_elsewhere(self, tmp_path, commis_id):
        store = CommisStore(tmp_path / "data", mode=0o600)
        for other in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store), copy.copy(store)):
            assert (other.root, other.modes) == (store.root, store.modes)
            assert other.find(1) == commis_id

    def test_a_spawned_process_reads_and_writes_the_store(self, store, commis_id):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found, job_id = pool.apply(_read_and_write, (store,))
        assert found == commis_id
        assert store.metadata(job_id).status == "success"

    def test_a_toolkit_with_a_store_can_be_pickled(self, store, commis_id):
        assert commis_id
        toolkit = pickle.loads(pickle.dumps(ConciergeToolkit(store=store, detail="full")))
        (read,) = [tool for tool in toolkit.get_tools() if tool.name == "read_commis_result"]
        assert "The result is 42." in read.invoke({"job_id": "1"})

    def test_a_handler_says_what_to_do_instead(self, store, handler):
        said = "make one in each process, with the same store: VisibilityCallbackHandler"
        with pytest.raises(TypeError, match=said) as caught:
            pickle.dumps(handler)
        assert str(caught.value).endswith(f"({store!r})")

    def test_a_copied_config_holds_the_same_handler(self, handler):
        config = {"callbacks": [handler]}
        assert copy.deepcopy(config)["callbacks"][0] is handler
        assert copy.copy(handler) is handler


def _read_and_write(store: CommisStore) -> tuple[str, int]:
    handler = VisibilityCallbackHandler(store)
    run(create_commis_node(calculator(), store=store), "Calculate 7*6 again", handler)
    return store.find(1), store.newest_job()


class TestReprs:
    def test_each_is_one_short_line(self, store, handler, commis_id):
        metadata, records = store.metadata(1), store.records(1)
        shown = [repr(one) for one in (store, handler, metadata, records, records[0], records[1])]
        assert all(len(text) < 200 and "\n" not in text for text in shown)
        of_store, of_handler, of_metadata, of_records, of_llm, of_tool = shown
        root = str(store.root)
        assert of_store == f"CommisStore({root!r})"
        made = handler.stats.records
        assert (
            of_handler == f"VisibilityCallbackHandler(store={root!r}, records={made}, open_runs=0)"
        )
        assert of_metadata.startswith(f"<commis job 1, {commis_id}: success, ")
        assert of_records == "<3 lines read>"
        assert of_llm.startswith("<llm_call 'gpt-5-mini', ")
        assert of_tool.startswith("<tool_call 'multiply', ")

    def test_lines_say_what_was_skipped(self, store, commis_id):
        with (store.folder(commis_id) / "metrics.jsonl").open("ab") as file:
            file.write(b"nonsense\n")
        assert repr(store.records(1)) == "<3 lines read. Skipped: 1 line is unreadable.>"


class TestRecent:
    def fill(self, store: CommisStore, count: int) -> None:
        for number in range(1, count + 1):
            commis_id, job_id = store.create(f"task {number}", 1_765_000_000_000_000 + number)
            store.save_metadata(
                CommisMetadata(
                    commis_id=commis_id,
                    job_id=job_id,
                    status="success",
                    duration_ms=1200,
                    started_at="2026-01-01T00:00:00Z",
                    task=f"<b>task</b> {number}\nand more",
                )
            )

    def test_it_shows_itself_without_being_used_up(self, store):
        self.fill(store, 12)
        recent = store.recent()
        assert next(recent).job_id == 12
        lines = repr(recent).splitlines()
        assert len(lines) == 12
        assert lines[0].split() == ["job", "status", "duration", "name", "task"]
        assert lines[1] == "12   success  1.2s      commis  <b>task</b> 12 and more"
        assert lines[-1] == "and older ones"
        html = recent._repr_html_()
        assert html.count("<tr>") == 11
        assert "<td>&lt;b&gt;task&lt;/b&gt; 12 and more</td>" in html
        assert [one.job_id for one in islice(recent, 2)] == [11, 10]
        assert [one.job_id for one in recent] == list(range(9, 0, -1))

    def test_it_shows_what_it_was_asked_for(self, store):
        self.fill(store, 2)
        assert repr(store.recent(status="failed")) == "No commis."

    def test_a_store_that_cannot_be_read_says_so(self, store, monkeypatch):
        def refuse() -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(store, "newest_job", refuse)
        assert repr(store.recent()) == "The store cannot be read (Permission denied)."
        with pytest.raises(PermissionError):
            next(store.recent())
