"""The commands, settings, files and links in the documentation exist. `tests/docs` runs the commands."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from infra.settings import load_settings
from personalize.commands.app import HELP
from tests.support import commands
from tests.support.page_blocks import blocks
from tools.paths import ROOT

PAGES = [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in commands.pages()]
OTHER_PAGES = [page for page in PAGES if not str(page.id).startswith("docs/")]
"""`make docs` checks the links of the other pages."""
AZURE = "personalization:azure"
DEV = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
"""A page shows only the settings to change."""
FOLDERS = (
    "features|recommend|training|scoring|tools|azure_clients|steps|infra|personalize|tests|benchmarks|examples|docs"
)


def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_block_exists_with_its_options(page: Path) -> None:
    for command in commands.commands_in_blocks(words(page)):
        commands.check(command, whole=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_sentence_exists_with_its_options(page: Path) -> None:
    for command in commands.commands_in_sentences(words(page)):
        commands.check(command, whole=False)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_in_a_page_is_accepted(page: Path) -> None:
    for block in blocks(words(page)):
        content = yaml.safe_load(block.content) if block.language == "yaml" else {}
        if "config" in content:
            config = content["config"]
            if azure := config.get(AZURE):
                config = DEV | config | {AZURE: DEV[AZURE] | azure}
            load_settings(config)


def missing(text: str) -> list[str]:
    """The files and folders in a page's backticks that don't exist."""
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*|[A-Z]+\.md)`", text)
    return [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert missing(words(page)) == []


def test_the_project_is_described_everywhere_by_one_sentence() -> None:
    sentence = tomllib.loads(words(ROOT / "pyproject.toml"))["project"]["description"]
    assert [page for page in (ROOT / "README.md", ROOT / "docs" / "index.md") if sentence not in words(page)] == []
    assert HELP.startswith(sentence)


def test_the_lines_that_a_recipe_adds_are_in_the_code() -> None:
    for recipe in re.findall(r"^```diff\n(.*?)^```", words(ROOT / "CONTRIBUTING.md"), re.DOTALL | re.MULTILINE):
        code = ""
        for line in recipe.splitlines():
            if line.startswith("# "):
                code = words(ROOT / line.removeprefix("# "))
            else:
                assert line.removeprefix("+").strip() in code


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", words(page))
    assert [link for link in links if not (page.parent / link).exists()] == []
