"""Every test that is written is run."""

import ast
import subprocess
import sys

import pytest

from infra.paths import ROOT
from tests.simulation.requirements import azure_packages_are_there


def written_tests() -> set[str]:
    """`path::function` of each test function or method in any Python file below `tests/`."""
    written = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                written.add(f"{path.relative_to(ROOT)}::{node.name}")
    return written


def collected_tests() -> set[str]:
    """The same names from pytest itself, without classes and parameters."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert answer.returncode == 0, f"pytest can not collect the tests:\n{answer.stdout[-3000:]}{answer.stderr[-1000:]}"
    names = [line.partition("[")[0].split("::") for line in answer.stdout.splitlines() if "::" in line]
    return {f"{parts[0]}::{parts[-1]}" for parts in names}


@pytest.mark.skipif(
    not azure_packages_are_there(),
    reason="Without Azure's packages pytest leaves out whole files; `make test-tools` installs them.",
)
def test_every_test_function_is_collected() -> None:
    assert written_tests() - collected_tests() == set()
