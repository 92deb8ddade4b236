"""The commands, settings, files and links in the documentation exist. `tests/docs` runs the commands."""

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from infra.settings import load_settings
from personalize.commands.app import HELP, app
from tests.support.page_blocks import FENCE, PageBlock, blocks
from tools.paths import ROOT

MAKEFILE = ROOT / "Makefile"
OURS = {"personalize", "make", "python"}
ENDS = {"|", "||", "&&", ";", "(", ")", "<", ">"}
PLACEHOLDER = "..."


def pages() -> list[Path]:
    """Every page for readers."""
    folders = [ROOT / name for name in ("docs", "tests", "benchmarks")]
    return sorted([*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))])


PAGES = [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages()]
OTHER_PAGES = [page for page in PAGES if not str(page.id).startswith("docs/")]
"""`make docs` checks the links of the other pages."""
AZURE = "personalization:azure"
DEV = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
"""A page shows only the settings to change."""
FOLDERS = (
    "features|recommend|training|scoring|tools|azure_clients|steps|infra|personalize|tests|benchmarks|examples|docs"
)


class NoSuchCommandError(Exception):
    """A page names something that doesn't exist."""


def commands_in_blocks(text: str) -> Iterator[list[str]]:
    """Our commands in the blocks of a page, each as its words."""
    for block in blocks(text):
        yield from commands_in(block)


def commands_in(block: PageBlock) -> Iterator[list[str]]:
    """Our commands in one block, each as its words."""
    for command in block.commands:
        joined = re.sub(r"(\\|\|)\n\s*", lambda end: "| " if end[1] == "|" else " ", command.text)
        for line in joined.splitlines():
            yield from _ours(line)


def commands_in_sentences(text: str) -> Iterator[list[str]]:
    """Our commands in the sentences of a page, which may omit arguments."""
    prose = FENCE.sub("", text)
    for span in re.findall(r"`([^`\n]+)`", prose):
        yield from _ours(span)


def check(words: list[str], *, whole: bool) -> None:
    """Raise unless program, command, options and targets exist; `whole` requires every argument, too."""
    program, *arguments = words
    match Path(program).name:
        case "personalize":
            _check_personalize([word for word in arguments if word != PLACEHOLDER], whole=whole)
        case "make":
            _check_make(arguments)
        case "python":
            _check_module(arguments)
        case other:
            raise NoSuchCommandError(f"{other} is not one of our programs")


def _ours(line: str) -> Iterator[list[str]]:
    """The simple commands in a line that run one of our programs. A line with invalid shell syntax has none."""
    lexer = shlex.shlex(re.sub(r'"?\$\(([^)]*)\)"?', r"; \1 ;", line), posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.wordchars += ",@"
    try:
        words = list(lexer)
    except ValueError:
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if word not in ENDS:
            command.append(word)
            continue
        if command and Path(command[0]).name in OURS:
            yield command
        command = []


def _check_personalize(arguments: list[str], *, whole: bool) -> None:
    group: Any = typer.main.get_command(app)
    known = {option for parameter in group.params for option in parameter.opts} | {"--help", "-h"}
    while arguments and arguments[0].startswith("-"):
        if arguments.pop(0) not in known:
            raise NoSuchCommandError(f"No such option before {arguments}")
    if not arguments:
        return
    with group.make_context("personalize", arguments, resilient_parsing=True) as context:
        command = group.get_command(context, arguments[0])
        if command is None:
            raise NoSuchCommandError(f"No such command: {arguments[0]}")
        try:
            command.make_context(command.name, arguments[1:], parent=context).close()
        except Exception as error:
            # The exceptions belong to typer's own copy of Click, which it doesn't export.
            if whole or type(error).__name__ != "MissingParameter":
                raise


def make_targets() -> set[str]:
    """Every target of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE))


def _check_make(arguments: list[str]) -> None:
    targets = make_targets()
    variables = set(re.findall(r"^([A-Z]+) \?=", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE))
    for word in arguments:
        variable, assigned, _ = word.partition("=")
        if (variable not in variables) if assigned else (word not in targets):
            raise NoSuchCommandError(f"No such target or variable of the Makefile: {word}")


def _check_module(arguments: list[str]) -> None:
    if arguments[:1] == ["-m"] and importlib.util.find_spec(arguments[1]) is None:
        raise NoSuchCommandError(f"No such module: {arguments[1]}")


def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_block_exists_with_its_options(page: Path) -> None:
    for command in commands_in_blocks(words(page)):
        check(command, whole=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_sentence_exists_with_its_options(page: Path) -> None:
    for command in commands_in_sentences(words(page)):
        check(command, whole=False)


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
