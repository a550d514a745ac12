import asyncio
import posix
import sys
from contextlib import contextmanager

import blockbuster
import pytest

from zerg_visibility.doctor.trial import check_detector


def test_a_commis_is_recorded_where_blocking_calls_are_refused():
    finding = check_detector()
    assert (finding.state, finding.cure) == ("ok", None)
    assert "langgraph dev" in finding.summary
    assert finding.summary.endswith("recorded: 3 records.")


def test_without_a_detector_there_is_nothing_to_refuse(monkeypatch):
    monkeypatch.setitem(sys.modules, "blockbuster", None)
    finding = check_detector()
    assert (finding.state, finding.cure) == ("ok", None)
    assert finding.summary.startswith("Not installed")


@pytest.mark.parametrize("operation", ["mkdir", "write", "replace"])
def test_a_detector_that_refuses_what_the_store_asks_for_is_a_failed_check(monkeypatch, operation):
    """As a later one may, which looks at `posix` too."""
    allowed = getattr(posix, operation)

    def only_outside_of_a_loop(*arguments, **options):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return allowed(*arguments, **options)
        raise RuntimeError("refused, do otherwise")

    @contextmanager
    def refusing():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(posix, operation, only_outside_of_a_loop)
            yield

    monkeypatch.setattr(blockbuster, "blockbuster_ctx", refusing)
    finding = check_detector()
    assert (finding.state, finding.cure) == ("failed", "langgraph dev --allow-blocking")
    assert any("RuntimeError: refused, do otherwise" in line for line in finding.details)
