"""Finds the commands on a page of the documentation, and checks that they exist."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from personalize.commands.app import app
from tests.support.page_blocks import FENCE, PageBlock, blocks
from tools.paths import ROOT

MAKEFILE = ROOT / "Makefile"
OURS = {"personalize", "make", "python"}
ENDS = {"|", "||", "&&", ";", "(", ")", "<", ">"}
PLACEHOLDER = "..."


class NoSuchCommandError(Exception):
    """A page names something that doesn't exist."""


def pages() -> list[Path]:
    """Every page for readers."""
    folders = [ROOT / name for name in ("docs", "tests", "benchmarks")]
    return sorted([*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))])


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
    lexer.wordchars += ","
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
