"""Pytest collects every test function."""

import ast
from pathlib import Path

import pytest

from tests.simulation.requirements import azure_packages_are_there
from tools.paths import ROOT


def written_tests(below: Path) -> set[str]:
    """`path::function` of each test function or method in any Python file below a folder, or in one file."""
    written = set()
    for path in below.rglob("*.py") if below.is_dir() else [below]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                written.add(f"{path.relative_to(ROOT)}::{node.name}")
    return written


@pytest.mark.skipif(
    not azure_packages_are_there(),
    reason="Without Azure's packages pytest leaves out whole files; `make test-tools` installs them.",
)
def test_every_test_function_is_collected(request: pytest.FixtureRequest, collected: set[str]) -> None:
    asked = [ROOT / argument for argument in request.config.args if "::" not in argument]
    assert set().union(*(written_tests(below) for below in asked)) - collected == set()


def test_tests_with_a_control_plane_lie_where_make_simulate_looks() -> None:
    mark = "cluster"
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if f"mark.{mark}" in path.read_text(encoding="utf-8")]
    assert {path.relative_to(ROOT / "tests").parts[0] for path in files} == {"cluster", "simulation"}
