"""Imports go one way: errors and records at the bottom, the command line on top."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "zerg_visibility"

# Each part may import those named here and nothing else of the package.
MAY_IMPORT = {
    "errors": set(),
    "settings": set(),
    "clock": set(),
    "words": set(),
    "schema": set(),
    "forksafe": set(),
    "jsonable": set(),
    "secret_formats": set(),
    "status": set(),
    "call_history": {"forksafe"},
    "errortext": {"words"},
    "diagnostics": {"errortext", "forksafe", "settings"},
    "background": {"diagnostics", "forksafe"},
    "redaction": {"diagnostics"},
    "labels": {"diagnostics", "errors", "redaction", "words"},
    "records": {"clock", "jsonable", "schema", "status"},
    "store": {"clock", "errors", "forksafe", "records", "schema", "settings", "status", "words"},
    "sinks": {"background", "diagnostics", "errors", "records", "settings", "store", "words"},
    "read": {"clock", "errors", "records", "status", "store", "words"},
    "commis_store": {"clock", "read", "records", "status", "store", "words"},
    "nowhere_store": {"clock", "commis_store", "errors", "store"},
    "arguments": {"commis_store", "errors"},
    "run_log": {"call_history", "commis_store", "forksafe", "records", "redaction", "store"},
    "callbacks": {
        "arguments", "clock", "commis_store", "diagnostics", "errors", "errortext", "forksafe",
        "jsonable", "labels", "nowhere_store", "records", "redaction", "run_log", "settings",
        "sinks", "status", "store", "words",
    },
    "tools": {
        "clock", "commis_store", "errors", "read", "records", "settings", "status", "store",
        "words",
    },
    "commis": {
        "arguments", "callbacks", "clock", "commis_store", "diagnostics", "errors", "errortext",
        "forksafe", "labels", "read", "records", "redaction", "run_log", "settings", "status",
        "store", "words",
    },
    "testing": {"clock"},
    "demo": {
        "callbacks", "commis", "commis_store", "errors", "secret_formats", "settings", "sinks",
        "store", "testing", "tools", "words",
    },
    "doctor": {
        "callbacks", "commis", "commis_store", "errors", "read", "settings", "status", "store",
        "testing", "words",
    },
    "cli": {
        "clock", "commis_store", "demo", "doctor", "errors", "read", "records", "settings",
        "status", "store", "words",
    },
    "__init__": {"settings"},
    "__main__": {"cli"},
}  # fmt: skip

# Who may import what is slow to load or belongs to one concern.
FOREIGN = {
    "langchain_core": {"callbacks", "commis", "tools", "testing", "demo", "doctor"},
    "langgraph": {"callbacks", "commis", "demo", "doctor"},
    "langsmith": {"demo", "doctor"},
    "opentelemetry": set(),  # taken from sys.modules, where a program has imported it
    "pydantic": {"commis", "tools", "testing"},
    "langchain_openai": {"demo"},
    "rich": {"cli", "demo"},
    "click": {"cli"},
}

EXTRAS = {"langchain_openai"}


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = (PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


MODULES = modules()


def imports(node: ast.AST, *, inside_functions: bool) -> Iterator[str]:
    """The modules that a piece of code imports when it runs, those for type checkers left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                yield inner if inner in MODULES else str(child.module)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from imports(ast.Module([other], []), inside_functions=inside_functions)
        elif inside_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(child, inside_functions=inside_functions)


def part_of(module: str) -> str:
    """The part of the package that a module belongs to."""
    _, _, inner = module.partition(".")
    return inner.partition(".")[0] or "__init__"


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE.name


def test_every_part_has_its_place():
    assert {part_of(module) for module in MODULES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_each_part_imports_only_what_lies_below(part):
    found = {
        part_of(target)
        for module, tree in MODULES.items()
        if part_of(module) == part
        for target in imports(tree, inside_functions=True)
        if is_ours(target)
    }
    assert found - {part} <= MAY_IMPORT[part]


def test_the_table_itself_has_no_cycle():
    assert_no_cycle(MAY_IMPORT)


def test_no_module_imports_itself_in_a_circle():
    names = MODULES.keys() | {name.removesuffix(".__init__") for name in MODULES}
    assert_no_cycle(
        {
            module: {target for target in imports(tree, inside_functions=False) if target in names}
            for module, tree in MODULES.items()
        }
    )


def assert_no_cycle(graph: dict[str, set[str]]) -> None:
    left = {name: set(targets) & graph.keys() - {name} for name, targets in graph.items()}
    while left:
        ready = {name for name, targets in left.items() if not targets}
        assert ready, f"a cycle among {sorted(left)}"
        left = {name: targets - ready for name, targets in left.items() if name not in ready}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_other_packages_are_imported_only_where_they_belong(foreign):
    found = {
        module
        for module, tree in MODULES.items()
        for target in imports(tree, inside_functions=True)
        if target.partition(".")[0] == foreign
    }
    assert {part_of(module) for module in found} <= FOREIGN[foreign]
    if foreign in EXTRAS:
        assert len(found) == 1, "an optional dependency is imported in one file"


def test_the_tools_never_import_what_watches():
    assert not MAY_IMPORT["tools"] & {"callbacks", "sinks", "commis"}
    assert not FOREIGN["langchain_core"] & {"read", "store", "sinks", "cli"}


def test_no_name_with_an_underscore_crosses_a_module():
    crossing = {
        f"{module}: {alias.name}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and is_ours(node.module or "")
        for alias in node.names
        if alias.name.startswith("_")
    }
    assert crossing == set()
