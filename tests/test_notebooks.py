import nbformat
import pytest

from tests.notebook import execute
from tests.processes import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The quickstart, run from top to bottom in a kernel and a folder of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(REPOSITORY / "notebooks" / "quickstart.ipynb", as_version=4)
    return execute(notebook, folder)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed_by(notebook, source: str) -> str:
    [cell] = [cell for cell in code_cells(notebook) if source in cell.source]
    return "".join(output.get("text", "") for output in cell.outputs)


def test_tier_1_is_what_the_tools_told_the_concierge(executed):
    printed = printed_by(executed, "print(message.text")

    assert printed.count("Result from commis job ") == 2
    assert printed.count("Execution time: ") == 2
    assert "There are 216,816 primes below three million." in printed
    assert "Metrics of commis job 1" in printed


def test_tier_2_is_a_file_of_records(executed):
    printed = printed_by(executed, '"metrics.jsonl").read_text()')

    lines = printed.strip().splitlines()
    assert [line.split(",")[0] for line in lines].count('{"event":"llm_call"') == 2
    assert [line.split(",")[0] for line in lines].count('{"event":"tool_call"') == 2
    assert '"success":false' in printed
    assert printed.count('"model":"scripted-model"') == 2


def test_typed_records_name_the_failure(executed):
    assert "FileNotFoundError" in printed_by(executed, "store.records(job.commis_id)")


def test_tier_3_is_log_lines(executed):
    lines = printed_by(executed, "log_file.read_text()").splitlines()

    assert sum(" INFO tool_call_complete tool=count_" in line for line in lines) == 3
    assert sum(" INFO commis_complete commis_name=" in line for line in lines) == 2
    assert sum("success=False" in line for line in lines) == 1


def test_what_the_tools_really_computed_is_what_the_scripted_models_say(executed):
    folder = printed_by(executed, "folder.rglob")

    assert "tool_calls/001_count_words.txt" in folder
    assert "There are 216,816 primes" in printed_by(executed, "graph.invoke")


def test_nothing_is_written_to_standard_error(executed):
    names = [o.get("name") for cell in code_cells(executed) for o in cell.outputs]

    assert set(names) == {"stdout"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_import_public_names_alone(path):
    sources = "\n".join(cell.source for cell in code_cells(nbformat.read(path, as_version=4)))

    assert "from zerg_visibility import" in sources
    assert "zerg_visibility." not in sources
