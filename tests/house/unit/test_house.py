"""The house rules that a tool of its own does not check: how long files and functions are, in tests too."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.paths import ROOT

PRODUCT = ("features", "training", "scoring", "azure_clients", "steps", "infra", "personalize", "tools", "benchmarks")
TESTS = "tests"
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40


def long_files(root: Path) -> Iterator[str]:
    """A sentence for each file that is too long."""
    for file in python_files(root, *PRODUCT, TESTS):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES:
            yield (
                f"{file.relative_to(root)} has {lines} lines, and {MAX_FILE_LINES} are the limit: split it by purpose."
            )


def long_functions(root: Path) -> Iterator[str]:
    """A sentence for each function that is too long, from `def` to its last line."""
    for file in python_files(root, *PRODUCT, TESTS):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    yield (
                        f"{node.name} in {file.relative_to(root)}, line {node.lineno}, has {lines} lines, and "
                        f"{MAX_FUNCTION_LINES} are the limit: take a step out of it."
                    )


def python_files(root: Path, *packages: str) -> list[Path]:
    """The modules of the packages."""
    return sorted(file for package in packages for file in (root / package).rglob("*.py"))


def test_no_file_is_too_long() -> None:
    assert not list(long_files(ROOT))


def test_no_function_is_too_long() -> None:
    assert not list(long_functions(ROOT))


def test_each_package_is_looked_at() -> None:
    packages = (*PRODUCT, TESTS)
    assert {file.relative_to(ROOT).parts[0] for file in python_files(ROOT, *packages)} == set(packages)


def test_what_is_too_long_is_named_with_its_length(tmp_path: Path) -> None:
    folder = tmp_path / "infra" / "cloud"
    folder.mkdir(parents=True)
    (folder / "vault.py").write_text("1\n" * 210 + "async def grown():\n" + "    1\n" * 40)
    (file,), (function,) = long_files(tmp_path), long_functions(tmp_path)
    assert file.startswith("infra/cloud/vault.py has 251 lines, and 250 are the limit")
    assert function.startswith("grown in infra/cloud/vault.py, line 211, has 41 lines, and 40 are the limit")


def test_a_test_keeps_to_the_lengths(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "infra"
    folder.mkdir(parents=True)
    (folder / "test_vault.py").write_text("1\n" * 210 + "def test_grown():\n" + "    1\n" * 40)
    assert len([*long_files(tmp_path), *long_functions(tmp_path)]) == 2


def test_what_is_within_the_limits_is_let_be(tmp_path: Path) -> None:
    folder = tmp_path / "infra"
    folder.mkdir()
    (folder / "vault.py").write_text("1\n" * 210 + "def whole():\n" + "    1\n" * 39)
    assert not [*long_files(tmp_path), *long_functions(tmp_path)]
