"""`python -m personalize.docs.tables` writes the tables in `docs/reference/settings.md`.

A test finds outdated ones. The page is in git so that it can be read without building the site.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from infra.settings import Settings
from infra.settings_text import describe_settings
from personalize.commands.operations import markdown_table
from tools.paths import ROOT

START = "<!-- made by `python -m personalize.docs.tables` -->\n"
END = "<!-- end of what is made -->\n"
PAGE = ROOT / "docs" / "reference" / "settings.md"


def settings_tables() -> Iterator[str]:
    """A table of settings for each group, line by line."""
    for group, rows in groupby(describe_settings(Settings), key=lambda row: re.split("[. ]", row.key)[0]):
        yield from (f"## {group}", "", *markdown_table(rows), "")


def renewed() -> str:
    """The text of the page with new tables between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return "\n".join([before + START, *settings_tables(), END + after])


if __name__ == "__main__":
    PAGE.write_text(renewed(), encoding="utf-8")
