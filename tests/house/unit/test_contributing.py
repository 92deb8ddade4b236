"""CONTRIBUTING's map matches the import linter's layers, and its answers name existing files."""

import re
import tomllib

import pytest

from tools.paths import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYERS = next(
    contract["layers"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    if contract["type"] == "layers"
)
"""From the top. Packages of one layer, which must not import each other, are separated by a bar."""


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its header."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" |") for cell in row] for row in table[2:]]


def files(cell: str) -> list[str]:
    """The paths in a cell, relative to the project's root."""
    return re.findall(r"`([\w.]+/[\w./-]*|[\w-]+\.(?:toml|yaml|md))`", cell)


QUESTIONS = rows("Where would I change ...?")


def test_the_map_lists_the_layers_in_the_linters_order() -> None:
    packages = [package for layer in LAYERS for package in layer.split(" | ")]
    folders = [row[0].strip("`/") for row in rows("The map")]
    assert [folder for folder in folders if folder in packages] == packages
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_the_folders_that_the_map_names_inside_a_package_exist() -> None:
    for row in rows("The map"):
        package = ROOT / row[0].strip("`/")
        named = re.findall(r"`([a-z_]+/|[a-z_]+\.py)`", row[1])
        assert [name for name in named if not (package / name).exists()] == [], package.name


def test_every_folder_of_tests_is_in_the_map() -> None:
    [row] = [row for row in rows("The map") if row[0] == "`tests/`"]
    folders = {folder.name for folder in (ROOT / "tests").iterdir() if any(folder.rglob("test_*.py"))}
    assert set(re.findall(r"`(\w+)`", row[1])) >= folders


@pytest.mark.parametrize(("question", "answer"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_every_answer_names_files_that_exist(question: str, answer: str) -> None:
    assert question.endswith("?")
    assert files(answer) != []
    assert [file for file in files(answer) if not (ROOT / file).exists()] == []


def test_there_are_ten_questions_and_a_dozen_words() -> None:
    assert len(QUESTIONS) >= 10
    assert len(rows("Words")) >= 12


def test_every_file_in_the_recipes_exists() -> None:
    recipes = TEXT.partition("\n## How to add ...\n")[2].partition("\n## ")[0]
    assert len(files(recipes)) > 10
    assert [file for file in files(recipes) if not (ROOT / file).exists()] == []
