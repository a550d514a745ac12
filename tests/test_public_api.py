"""What users import, and what importing costs them."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import zerg_visibility
from tests.processes import python

CONTRACT = {
    "CommisStore", "VisibilityCallbackHandler", "visibility", "create_commis_node",
    "create_commis_tool", "report_job", "ConciergeToolkit", "CONCIERGE_PROMPT",
    "KeyValueFormatter", "configure_logging", "redact_secrets",
    "Record", "LLMCallRecord", "ToolCallRecord", "CommisRunRecord", "Sink",
    "VisibilityError", "ConfigurationError", "MissingExtraError", "StoreError",
    "CommisNotFoundError", "FileNotInCommisError", "MetadataUnreadableError",
}  # fmt: skip

HEAVY = ("langchain_core", "langgraph", "langsmith", "pydantic", "rich", "click", "openai")

LIGHT_NAMES = [
    "CommisStore", "CommisMetadata", "CommisTotals", "KeyValueFormatter", "LLMCallRecord",
    "MemorySink", "Record", "Sink", "StoreError", "configure_logging", "redact_secrets",
]  # fmt: skip


def imported_for_type_checkers() -> set[str]:
    """The names that the package's own text tells type checkers."""
    tree = ast.parse(Path(zerg_visibility.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If) and _type_checking(node)]
    return {
        name.asname
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname
    }


def _type_checking(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_all_is_what_is_importable():
    assert zerg_visibility.__all__ == sorted(zerg_visibility.__all__)
    assert set(zerg_visibility.__all__) == imported_for_type_checkers()
    for name in zerg_visibility.__all__:
        assert getattr(zerg_visibility, name) is not None
    assert set(zerg_visibility.__all__) <= set(dir(zerg_visibility))


def test_a_star_import_gives_them_all():
    namespace: dict = {}
    exec("from zerg_visibility import *", namespace)
    assert set(zerg_visibility.__all__) <= namespace.keys()


def test_every_name_of_the_contract_is_there():
    assert set(zerg_visibility.__all__) >= CONTRACT


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = zerg_visibility.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from zerg_visibility import nothing")


@pytest.mark.parametrize("name", sorted(zerg_visibility.__all__))
def test_everything_public_is_documented(name):
    public = getattr(zerg_visibility, name)
    if inspect.isclass(public) or inspect.isfunction(public):
        assert inspect.getdoc(public)


def loaded_after(statement: str) -> list[str]:
    return python(
        f"""
        import sys
        {statement}
        print(*sorted(name for name in {HEAVY!r} if name in sys.modules))
        """
    ).split()


def test_importing_the_package_alone_loads_nothing_heavy():
    assert loaded_after("import zerg_visibility") == []


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_reading_files_needs_neither_langchain_nor_langgraph(name):
    assert loaded_after(f"from zerg_visibility import {name}") == []


def test_the_switch_watches_from_the_import_on(tmp_path, monkeypatch):
    monkeypatch.setenv("ZERG_VISIBILITY", "1")
    monkeypatch.setenv("ZERG_VISIBILITY_ROOT", str(tmp_path / "data"))
    out = python(
        """
        import zerg_visibility
        from langgraph.graph import START, MessagesState, StateGraph
        from tests.scripted import calculator
        calculator().invoke({"messages": [("user", "Calculate 7*6")]})
        store = zerg_visibility.CommisStore()
        [metrics] = store.root.glob("concierge/*/metrics.jsonl")
        print(len(metrics.read_text().splitlines()))
        """
    )
    assert out == "4\n"  # three calls, and the run


@pytest.mark.parametrize("value", ["", "0", "false", "off", "No"])
def test_the_switch_can_be_off(value, monkeypatch):
    monkeypatch.setenv("ZERG_VISIBILITY", value)
    assert loaded_after("import zerg_visibility") == []


def test_without_an_extra_the_error_names_it(monkeypatch):
    from zerg_visibility.demo.model import open_model

    # What the import system does where a package is not installed.
    monkeypatch.setitem(importlib.sys.modules, "langchain_openai", None)
    with pytest.raises(zerg_visibility.MissingExtraError) as caught:
        open_model("openai:gpt-5-mini")
    assert caught.value.extra == "openai"
    assert str(caught.value).endswith("Install it with: pip install 'zerg-visibility[openai]'")
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, zerg_visibility.ConfigurationError)


def test_the_error_tree_is_the_one_drawn_in_its_docstring():
    from zerg_visibility import errors

    drawn = [line.split()[0] for line in _tree_lines(errors.__doc__ or "")]
    assert set(drawn) == {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.VisibilityError)
    }
    assert set(drawn) <= set(zerg_visibility.__all__)


def _tree_lines(text: str) -> list[str]:
    stripped = [line.lstrip("│├└─ ") for line in text.splitlines()]
    return [line for line in stripped if line.split(" ")[0].endswith("Error")]
