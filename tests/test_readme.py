"""What the README shows is what the package does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import zerg_visibility
from tests.scenarios import compatibility
from tests.scenarios.table import TABLE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FIRST_EXAMPLE = re.search(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_example_runs_and_prints_what_it_says(tmp_path):
    assert FIRST_EXAMPLE is not None
    script = tmp_path / "example.py"
    script.write_text(FIRST_EXAMPLE[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = re.search(r"\n```\n(Result from .*?)\n```\n", README, re.DOTALL)
    assert shown is not None
    assert without_numbers(done.stdout) == without_numbers(shown[1] + "\n")
    log = (tmp_path / "logs/backend/backend.log").read_text()
    lines = re.search(
        r"\n```\n(\d{4}-\d\d-\d\d .*? event=commis_complete)\n```\n", README, re.DOTALL
    )
    assert lines is not None
    assert without_numbers(log) == without_numbers(lines[1] + "\n")
    metrics = next(tmp_path.glob("zerg-data/commis/*/metrics.jsonl")).read_text()
    record = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert record is not None
    assert without_numbers(metrics) == without_numbers(record[1])


def test_all_examples_run_one_after_another(tmp_path):
    """As a reader would paste them; building the concierge calls no model yet."""
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) > 2
    code = "\n".join([*examples, "print(store.newest_job(), sorted(concierge.nodes))"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("3 ['__start__', 'model', 'tools']\n")


def without_numbers(text: str) -> str:
    """Leave out what differs from run to run: times and ids."""
    text = re.sub(r'(_id(?:=|":"))[0-9a-fT_-]+(_calculate)?', r"\1\2", text)
    text = re.sub(r'("ns":"\w+:)[0-9a-f]{8}', r"\1", text)
    return re.sub(r"\d+", "0", text.replace("_calculate-7-6", ""))


def test_every_name_in_the_readmes_imports_exists():
    names = set()
    for found in re.finditer(r"from zerg_visibility import \(?([\w,\s]+?)(?:\)|\n)", README):
        names |= {name for name in re.split(r"[,\s]+", found[1]) if name}
    assert names
    assert names <= set(zerg_visibility.__all__)


def test_the_compatibility_table_is_that_of_the_scenarios():
    shown = README.partition("<!-- compatibility -->\n")[2].partition("\n<!-- end of")[0]
    assert shown == compatibility.markdown()


def test_every_scenario_has_a_heading():
    assert {compatibility.module(row) for row in TABLE} == set(compatibility.HEADINGS)
