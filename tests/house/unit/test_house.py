"""The house rules that no linter checks: how long files and functions may be, in tests too."""

import ast

import pytest

from tools.paths import ROOT

PACKAGES = (
    *("features", "recommend", "training", "scoring", "batch", "azure_clients", "steps", "infra", "personalize"),
    *("tools", "benchmarks"),
    "tests",
)
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_and_no_function_is_too_long(package: str) -> None:
    found = {file.relative_to(ROOT): file.read_text(encoding="utf-8") for file in (ROOT / package).rglob("*.py")}
    assert found
    files = {str(file): lines for file, text in found.items() if (lines := len(text.splitlines())) > MAX_FILE_LINES}
    assert files == {}, f"{MAX_FILE_LINES} lines are the limit: split the file by purpose"
    functions = {
        f"{node.name} in {file}, line {node.lineno}": lines
        for file, text in found.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert functions == {}, f"{MAX_FUNCTION_LINES} lines are the limit: take a step out of the function"
