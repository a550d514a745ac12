import re
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from tests.demo.conftest import concierge_records, demo, raw_records
from tests.demo.server import by_the_script, refuses
from tests.model_server import SERVED, USAGE, Server, serving, streams
from zerg_visibility import (
    CommisStore,
    VisibilityCallbackHandler,
    VisibilityError,
)
from zerg_visibility.cli.main import cli
from zerg_visibility.demo.graph import build_concierge
from zerg_visibility.demo.job import run_demo

CACHED = USAGE["prompt_tokens_details"]["cached_tokens"]
REASONING = USAGE["completion_tokens_details"]["reasoning_tokens"]
KEY = "sk-test-0123456789abcdef0123"

WITHOUT_EXTRA = (
    "import sys; sys.modules['langchain_openai'] = None; "
    "from zerg_visibility.cli.main import main; sys.exit(main())"
)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(by_the_script) as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text("line\n" * (1 + number // 2))
    return folder


def environment(server: Server) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}


def llm_records(store: CommisStore) -> list[dict]:
    found = [r for job in store.recent() for r in raw_records(store, job.commis_id)]
    return [r for r in [*found, *concierge_records(store)] if r["event"] == "llm_call"]


def assert_usage_is_recorded(records: list[dict]) -> None:
    for record in records:
        assert record["requested_model"] == "gpt-demo"
        assert record["model"] == SERVED
        assert record["prompt_tokens"] == USAGE["prompt_tokens"]
        assert record["completion_tokens"] == USAGE["completion_tokens"]
        assert record["total_tokens"] == USAGE["total_tokens"]
        assert record["cached_tokens"] == CACHED
        assert record["reasoning_tokens"] == REASONING
        assert record["success"] is True


def test_a_compatible_server_steers_the_whole_demo(server, folder, tmp_path):
    run = demo(
        folder, "--model", "openai:gpt-demo", "--root", "data", cwd=tmp_path, **environment(server)
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split("Tier 1")[1].count("Execution time: ") == 4
    assert "openai:gpt-demo" in run.stdout
    store = CommisStore(tmp_path / "data")
    assert len(list(store.recent(status="success"))) == 4
    assert {request["model"] for request in server.asked} == {"gpt-demo"}
    assert all(request["stream"] for request in server.asked)


def test_streamed_answers_are_recorded_with_usage_and_time_to_first_token(
    server, folder, tmp_path, screen, monkeypatch
):
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)

    run_demo(folder, root=tmp_path / "data", model="openai:gpt-demo", console=screen.console)

    records = llm_records(CommisStore(tmp_path / "data"))
    assert len(records) == len(server.asked)
    assert_usage_is_recorded(records)
    for record in records:
        assert 0 <= record["ttft_ms"] <= record["duration_ms"]


def test_whole_answers_are_recorded_with_usage_and_no_first_token(server, folder, tmp_path):
    model = ChatOpenAI(model="gpt-demo", base_url=server.url, api_key=KEY)
    store = CommisStore(tmp_path / "data")
    handler = VisibilityCallbackHandler(store, raise_error=True)

    answer = build_concierge(model, folder, store).invoke(
        {"messages": [HumanMessage("Inspect the folder.")]}, {"callbacks": [handler]}
    )

    assert answer["messages"][-1].text.count("Execution time: ") == 4
    assert not any(request.get("stream") for request in server.asked)
    records = llm_records(store)
    assert len(records) == len(server.asked)
    assert_usage_is_recorded(records)
    assert not any("ttft_ms" in record for record in records)


def test_metadata_adds_up_what_the_provider_counted(server, folder, tmp_path, screen, monkeypatch):
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)

    run_demo(folder, root=tmp_path / "data", model="openai:gpt-demo", console=screen.console)

    for job in CommisStore(tmp_path / "data").recent():
        assert job.totals.total_tokens == USAGE["total_tokens"] * job.totals.llm_calls
        assert job.totals.cached_tokens == CACHED * job.totals.llm_calls
        assert job.totals.reasoning_tokens == REASONING * job.totals.llm_calls


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses_is_one_line_without_the_key(server, folder, tmp_path, status):
    server.reply = refuses(status)

    run = demo(folder, "--model", "openai:gpt-demo", cwd=tmp_path, **environment(server))

    assert run.returncode == 1
    assert re.fullmatch(
        rf"Error: the model openai:gpt-demo at \S+ failed: \w+: Error code: {status} .*\n",
        run.stderr,
    )
    assert KEY not in run.stderr
    assert KEY not in run.stdout


def test_a_server_that_is_not_there_is_one_line(folder, tmp_path):
    with serving(by_the_script) as server:
        gone = environment(server)

    run = demo(folder, "--model", "openai:gpt-demo", cwd=tmp_path, **gone)

    assert run.returncode == 1
    assert re.fullmatch(
        rf"Error: the model openai:gpt-demo at {gone['OPENAI_BASE_URL']} failed: \w+: .+\n",
        run.stderr,
    )


def test_a_model_that_sends_no_commis_is_told_of(server, folder, tmp_path, screen, monkeypatch):
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    server.reply = streams("I would rather not.")

    with pytest.raises(VisibilityError, match=r"sent no commis, .* it said: I would rather not"):
        run_demo(folder, root=tmp_path / "data", model="openai:gpt-demo", console=screen.console)


def test_without_a_key_one_line_says_so(folder, tmp_path):
    run = demo(folder, "--model", "openai:gpt-demo", cwd=tmp_path)

    assert run.returncode == 1
    assert re.fullmatch(r"Error: OPENAI_API_KEY is not set[^\n]*\n", run.stderr)


def test_without_the_extra_one_line_names_it(folder, tmp_path):
    run = demo(folder, "--model", "openai:gpt-demo", cwd=tmp_path, python=("-c", WITHOUT_EXTRA))

    assert run.returncode == 1
    assert re.fullmatch(r"Error: [^\n]*pip install 'zerg-visibility\[openai\]'\n", run.stderr)


def test_without_the_extra_the_offline_demo_works(folder, tmp_path):
    run = demo(folder, cwd=tmp_path, python=("-c", WITHOUT_EXTRA))

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("spec", ["gpt-5", "openai:", "openai: ", "mistral:small", ""])
def test_other_models_are_refused_with_the_form_to_write(spec):
    done = CliRunner().invoke(cli, ["demo", "--model", spec])

    assert done.exit_code == 2
    assert "write openai:NAME" in done.output
