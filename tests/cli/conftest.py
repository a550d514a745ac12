import pytest

from tests.cli.samples import Maker
from zerg_visibility import CommisStore
from zerg_visibility.store.liveness import this_process


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("ZERG_VISIBILITY_ROOT", "ZERG_VISIBILITY", "COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path) -> CommisStore:
    return CommisStore(tmp_path / "data")


@pytest.fixture
def make(store) -> Maker:
    return Maker(store)


@pytest.fixture
def alive() -> dict[str, object]:
    """The fields of a commis that runs in this process."""
    mark = this_process()
    return {
        "status": "running", "pid": mark.pid, "pid_started": mark.pid_started, "host": mark.host,
    }  # fmt: skip


@pytest.fixture
def dead(alive) -> dict[str, object]:
    """The fields of a commis whose process is gone: another one has its number now."""
    return {**alive, "pid_started": "gone:1"}
