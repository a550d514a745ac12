"""What the specification names exists under that name."""

from importlib import import_module

from tests.spec.spec_commands import commands, starting_with

NAMED = {
    "tests/test_concierge_tools_integration.py": ["test_read_commis_result_includes_duration"],
    "tests/test_metrics_jsonl_tier2.py": [
        "test_metrics_jsonl_creation",
        "test_read_commis_file_can_access_metrics",
        "test_metrics_collector_context_isolation",
    ],
    "tests/test_structured_logs_tier3.py": [
        "test_llm_call_structured_logging",
        "test_tool_call_structured_logging",
        "test_structured_logs_grep_pattern",
        "test_structured_logs_fail_safe",
    ],
}


def test_the_test_commands_of_the_specification_find_their_tests():
    targets = {
        word
        for command in starting_with("uv")
        for word in command.split()
        if word.startswith("tests/")
    }
    named = {f"{file}::{name}" for file, names in NAMED.items() for name in names}
    for target in targets | named:
        file, _, name = target.partition("::")
        module = import_module(file.removesuffix(".py").replace("/", "."))
        found = [test for test in vars(module) if test.startswith("test_")]
        assert name in found if name else found, target


def test_no_command_of_the_specification_is_of_a_kind_that_no_test_runs():
    # `cd` and `uv run pytest` are the test paths, which are those of another repository.
    assert {command.split()[0] for command in commands()} == {
        "cd", "uv", "jq", "tail", "grep", "find", "ls", "cat",
    }  # fmt: skip
