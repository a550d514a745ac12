"""Arguments that cannot be used are refused at once, with what to write instead."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tests.scripted import calculator
from zerg_visibility import (
    CommisStore,
    ConciergeToolkit,
    ConfigurationError,
    MemorySink,
    VisibilityCallbackHandler,
    configure_logging,
    create_commis_node,
    create_commis_tool,
    visibility,
)

USE_A_STORE = r"store must be a CommisStore, not .*; write CommisStore\('zerg-data'\)"


@pytest.mark.parametrize("path", ["zerg-data", Path("zerg-data")])
def test_a_path_is_no_store_and_the_error_says_how_to_make_one(path):
    with pytest.raises(ConfigurationError, match=USE_A_STORE):
        VisibilityCallbackHandler(path)
    with pytest.raises(ConfigurationError, match=USE_A_STORE):
        create_commis_node(calculator(), store=path)
    with pytest.raises(ConfigurationError, match=USE_A_STORE), visibility(path):
        pytest.fail("nothing may run unwatched")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"owner_id": 42}, "owner_id must be a text, or a function of the config .*, not a int"),
        ({"name": 7}, "name must be a text, not a int"),
        ({"task": "do it"}, "task must be a function, not 'do it'"),
        ({"result": "messages"}, "result must be a function"),
        ({"output": "report"}, "output must be a function"),
        ({"redact": True}, "redact must be a function, not a bool"),
        ({"capture": None}, "capture must be a collection of result, messages, .*, not a NoneType"),
        ({"capture": "result"}, "capture must be a collection of .*, not 'result'"),
        ({"capture": ["results"]}, "each part of capture must be one of .*, not 'results'"),
        ({"store": 1}, "store must be a CommisStore, not a int$"),
    ],
)
def test_an_option_of_a_commis_that_cannot_be_used_is_refused(options, error):
    with pytest.raises(ConfigurationError, match=error):
        create_commis_node(calculator(), **options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sinks": MemorySink()}, "sinks must be a list of objects with emit, flush and close"),
        ({"sinks": [print]}, "sinks must be a list of objects with emit, flush and close"),
        ({"logger": "zerg"}, "logger must be a Logger, not 'zerg'"),
        ({"redact": True}, "redact must be a function"),
    ],
)
def test_an_option_of_a_handler_that_cannot_be_used_is_refused(options, error):
    with pytest.raises(ConfigurationError, match=error):
        VisibilityCallbackHandler(**options)


def test_a_commis_is_not_made_a_commis_again(store):
    node = create_commis_node(calculator(), store=store)
    with pytest.raises(ConfigurationError, match="is a commis already"):
        create_commis_node(node)
    with pytest.raises(ConfigurationError, match="is a commis already"):
        create_commis_tool(node, name="calc", description="Calculates.")


def test_the_input_of_a_commis_tool_is_a_function(store):
    with pytest.raises(ConfigurationError, match="input must be a function, not 'task'"):
        create_commis_tool(calculator(), name="calc", description="Calculates.", input="task")


@pytest.mark.parametrize("root", ["", 7])
def test_a_store_needs_a_folder(root):
    with pytest.raises(ConfigurationError, match=f"root={root!r} names no folder"):
        CommisStore(root)


def test_the_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert CommisStore("~/data").root == tmp_path / "data"
    with pytest.raises(ConfigurationError, match="home folder that is not known"):
        CommisStore("~no-such-user-here/data")


@pytest.mark.parametrize("mode", [600, "600", 0o400, 0o1600])
def test_a_mode_that_locks_the_owner_out_or_is_decimal_is_refused(mode):
    with pytest.raises(ConfigurationError, match=f"mode={mode!r} .* octal, such as 0o600"):
        CommisStore("data", mode=mode)


def test_the_level_of_the_log_may_be_a_name(tmp_path):
    handler = configure_logging(tmp_path / "a.log", level="WARNING")
    assert handler.level == logging.WARNING
    with pytest.raises(ConfigurationError, match="level='LOUD' is none of logging"):
        configure_logging(tmp_path / "b.log", level="LOUD")
    assert not os.path.lexists(tmp_path / "b.log")


def test_a_misspelt_option_of_the_toolkit_is_refused(store):
    with pytest.raises(ValueError, match="details"):
        ConciergeToolkit(store=store, details="full")
