"""Every block of the documentation is one of those that CONTRIBUTING.md tells of, so that none is left out unseen."""

import re
from pathlib import Path

import pytest

from tests.docs.session import sessions
from tests.support.blocks import PROMPT, Block, blocks
from tools.paths import ROOT

BLOCKS = [block for session in sessions().values() for block in session]
DRAWINGS = {"mermaid"}
DIAGRAM = "─"
"""What a drawing of characters has and no output."""


def wrong(block: Block) -> str:
    """Why a block is neither run nor says why not; nothing if all is well."""
    if block.mark or block.language in DRAWINGS or (block.language == "text" and DIAGRAM in block.content):
        return ""
    match block.language:
        case "sh":
            return "a prompt belongs into a block of `console`" if PROMPT in block.content else ""
        case "console":
            return "" if block.content.startswith(PROMPT) else "begins with neither a command nor a known reason"
        case "yaml":
            return "" if block.file else "names neither its file nor a known reason"
        case _:
            return f"{block.language or 'no language'}: neither commands nor a file"


def test_every_block_is_run_or_says_why_not() -> None:
    assert [f"{block.place}: {why}" for block in BLOCKS if (why := wrong(block))] == []


def test_every_page_of_the_documentation_is_read() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    read = {block.page for block in BLOCKS}
    assert [page for page in pages if page not in read and "```" in page.read_text(encoding="utf-8")] == []
    assert sum(len(block.commands) for block in BLOCKS if not block.mark) > 50


def test_only_what_is_on_azure_is_said_to_need_a_subscription() -> None:
    on_azure = re.compile(r"--stack (dev|west)\b|\.personalize/dev/")
    marked = [block for block in BLOCKS if block.mark == "needs a subscription"]
    assert [block.place for block in marked if not on_azure.search(block.content)] == []


@pytest.mark.parametrize(
    "text",
    [
        "```\nmake up\n```\n",
        "```bash\nmake up\n```\n",
        "```sh\n$ make up\n```\n",
        "```console\nmake up\n```\n",
        "```console\n# takes too long\n$ make up\n```\n",
        "```text\n14 created, 60 s.\n```\n",
        "```yaml\nconfig: {}\n```\n",
    ],
)
def test_a_block_that_nobody_would_run_is_found(text: str) -> None:
    [block] = blocks(text)
    assert wrong(block)


def test_a_block_knows_its_commands_what_they_print_and_where() -> None:
    page = Path("page.md")
    [_, block] = blocks("# One\n```mermaid\n```\n\n## Two\n```console\n$ make |\n  cat\none\n\n$ ls\n```\n", page)
    assert (block.page, block.line, block.section) == (page, 7, "Two")
    first, second = block.commands
    assert (first.text, first.shown, first.output) == ("make |\n  cat", ("one", ""), 2)
    assert (second.text, second.shown, second.output) == ("ls", (), 5)


def test_a_mark_and_a_file_are_comments_in_the_first_line() -> None:
    marked, file, plain = blocks(
        "```sh\n# runs the tests\nmake test\n```\n```yaml\n# a/b.yaml\na: 1\n```\n```sh\n# so\nls\n```\n"
    )
    assert (marked.mark, marked.file) == ("runs the tests", "")
    assert (file.mark, file.file) == ("", "a/b.yaml")
    assert (plain.mark, plain.file) == ("", "")
