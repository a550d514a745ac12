"""Every recipe of the README is run as somebody would who copies it into a folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import httpx
import nbformat
import pytest

from tests.deployments.devserver import serving
from tests.notebook import execute
from tests.processes import REPOSITORY
from tests.test_readme import README, without_numbers

RECIPES = dict(re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE))
SERVER = README.partition("### The development server\n")[2].partition("\n### ")[0]


@pytest.fixture
def folder(tmp_path) -> Path:
    """One that holds every recipe."""
    for name, text in RECIPES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def python(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-W", "error", *arguments)


def test_no_recipe_is_forgotten_here():
    assert sorted(RECIPES) == [
        "app.py", "cell", "langgraph.json", "read.py", "team.py", "test_worker.py",
    ]  # fmt: skip


def test_the_development_server_shows_three_tiers(folder):
    [shown] = re.findall(r"```console\n(.*?)```", SERVER, re.DOTALL)
    commands = re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]
    ask, metrics, log = commands
    question, answer = ask.replace("\\\n", "").split("\n", 1)
    url, body = (shlex.split(question)[place] for place in (2, -1))
    with serving(folder) as server:
        # What curl sends, which not every machine has.
        headers = {"Content-Type": "application/json"}
        told = httpx.post(
            url.replace("http://127.0.0.1:2024", server.url), content=body, headers=headers
        ).text
    for content in re.findall(r'"content":"(.*?[^\\])"', answer):
        assert without_numbers(f'"content":"{content}"') in without_numbers(told)
    for command in (metrics, log):
        line, output = command.split("\n", 1)
        assert without_numbers(run(folder, "sh", "-c", line)) == without_numbers(output)
    assert without_numbers(python(folder, "read.py")) == (
        "research success 0 ms in models\nllm_call True think\nteam success 0 calls, 0 commis\n"
        "concierge team success\ncommis research success\nllm_call model success\n"
    )
    assert server.warnings("zerg_visibility") == []


def test_fastapi_gives_each_user_their_own_jobs(folder):
    code = """
        import asyncio
        import httpx
        from app import app

        async def main():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                me, other = {"user-id": "me"}, {"user-id": "somebody else"}
                answer = await client.post("/ask?question=Calculate 7*6", headers=me)
                print(answer.json())
                for user in (me, other):
                    print((await client.get("/jobs/1", headers=user)).json().splitlines()[0])

        asyncio.run(main())
    """
    assert without_numbers(python(folder, "-c", dedent(code))) == without_numbers(
        "The result is 42.\n"
        "Result from commis job 1 (commis 2026-11-25T00-41-25_calculate-7-6):\n"
        "Error: Commis job 1 not found. There are no recent jobs.\n"
    )


def test_a_notebook_awaits_a_graph(folder):
    cell = nbformat.v4.new_code_cell(RECIPES["cell"])
    execute(nbformat.v4.new_notebook(cells=[cell]), folder)
    [output] = cell.outputs
    assert re.fullmatch(r"\d+ ms\n", output.text)


def test_the_users_own_test_passes_and_leaves_no_file(folder):
    before = sorted(path.name for path in folder.iterdir())
    no_plugins = ["-p", "no:cacheprovider", "-p", "no:asyncio"]
    said = python(folder, "-B", "-m", "pytest", "-q", *no_plugins, "test_worker.py")
    assert "1 passed" in said
    assert sorted(path.name for path in folder.iterdir()) == before
