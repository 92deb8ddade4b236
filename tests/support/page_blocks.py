"""The fenced blocks of a page: its reader's commands, their output, and the files that the reader writes.

CONTRIBUTING.md has the rules. A `console` block has commands after `$ ` with their output, an `sh` block has commands
alone, and a `yaml` block is the content of the file in its first line. A first line like `# needs a subscription` marks
a block that the tests don't run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.paths import ROOT

FENCE = re.compile(r"^```(\S*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
PROMPT = "$ "
README = ROOT / "README.md"
REASONS = (
    "needs the repository's address",
    "needs a repository on GitHub",
    "needs a subscription",
    "needs a Prometheus",
    "needs files of Criteo",
    "needs oha",
    "needs Pulumi's own release",
    "runs the tests",
)
"""Reasons for which a block may be left out."""
FILE = re.compile(r"[\w./-]+\.ya?ml")


@dataclass(frozen=True)
class Command:
    """A command, which may have several lines, and the output that the page shows below it."""

    text: str
    shown: tuple[str, ...] = ()
    output: int = 0
    """The line of its block, counted from 0, where `shown` begins."""


@dataclass(frozen=True)
class PageBlock:
    """A block of `page`, whose content begins on `line`, counted from 1."""

    language: str
    content: str
    line: int = 1
    page: Path = README
    section: str = ""
    """The heading of level 2 above it."""

    @property
    def place(self) -> str:
        """The block's place, as editors accept it."""
        return f"{str(self.page).removeprefix(f'{ROOT}/')}:{self.line}"

    @property
    def comment(self) -> str:
        """The comment in the first line."""
        first = self.content.partition("\n")[0]
        return first[1:].strip() if first.startswith("#") else ""

    @property
    def mark(self) -> str:
        """Why the block isn't run; empty if it is."""
        return self.comment if self.comment in REASONS else ""

    @property
    def file(self) -> str:
        """The file whose content the block is; empty for other blocks."""
        return self.comment if self.language == "yaml" and FILE.fullmatch(self.comment) else ""

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """The commands in order; an `sh` block is one command."""
        if self.language == "sh":
            return (Command(self.content),)
        if self.language != "console":
            return ()
        return tuple(_typed(self.content.splitlines()))


def blocks(text: str, page: Path = README) -> Iterator[PageBlock]:
    """Each fenced block of a page with that text."""
    for found in FENCE.finditer(text):
        headings = HEADING.findall(text[: found.start()])
        line = text.count("\n", 0, found.start(2)) + 1
        yield PageBlock(found[1], found[2], line, page, headings[-1] if headings else "")


def blocks_of(page: Path) -> list[PageBlock]:
    """Each fenced block of a file."""
    return list(blocks(page.read_text(encoding="utf-8"), page))


def queries_in_docs() -> dict[str, str]:
    """The Log Analytics queries of all pages, by their place."""
    found = (block for page in sorted((ROOT / "docs").rglob("*.md")) for block in blocks_of(page))
    return {block.place: block.content for block in found if block.language == "kusto"}


def _typed(lines: list[str]) -> Iterator[Command]:
    """A command continues on the next line if its own ends with a backslash or a pipe."""
    starts = [number for number, line in enumerate(lines) if line.startswith(PROMPT)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        output = start + 1
        while lines[output - 1].endswith(("\\", "|")):
            output += 1
        text = "\n".join(lines[start:output]).removeprefix(PROMPT)
        yield Command(text, tuple(lines[output:end]), output)
