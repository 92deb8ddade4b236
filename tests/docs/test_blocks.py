"""Every block of the documentation is of a kind that CONTRIBUTING.md lists, so that none is skipped by accident."""

import re

from tests.docs.session import sessions
from tests.support.page_blocks import PROMPT, PageBlock
from tools.paths import ROOT

BLOCKS = [block for session in sessions().values() for block in session]
NOT_TYPED = {"mermaid", "kusto"}
"""Drawings, and queries, which `tests/infra/unit/test_queries.py` parses."""
DIAGRAM = "─"
"""Occurs in text drawings but in no output."""


def wrong(block: PageBlock) -> str:
    """Why a block is neither run nor gives a reason; empty if it's fine."""
    if block.mark or block.language in NOT_TYPED or (block.language == "text" and DIAGRAM in block.content):
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


def test_every_block_is_run_or_gives_a_reason() -> None:
    assert [f"{block.place}: {why}" for block in BLOCKS if (why := wrong(block))] == []


def test_every_page_of_the_documentation_is_read() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    read = {block.page for block in BLOCKS}
    assert [page for page in pages if page not in read and "```" in page.read_text(encoding="utf-8")] == []
    assert sum(len(block.commands) for block in BLOCKS if not block.mark) > 50


def test_only_blocks_about_azure_claim_to_need_a_subscription() -> None:
    on_azure = re.compile(r"--stack (dev|trial|west)\b|-m azure\b|\.personalize/dev/")
    marked = [block for block in BLOCKS if block.mark == "needs a subscription"]
    assert [block.place for block in marked if not on_azure.search(block.content)] == []
