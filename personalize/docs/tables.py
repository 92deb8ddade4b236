"""`python -m personalize.docs.tables` writes the tables in `docs/reference/settings.md`.

A test finds outdated ones. The page is in git so that it can be read without building the site.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from infra.settings import Settings
from infra.settings_text import SettingRow, describe_settings
from tools.paths import ROOT

START = "<!-- made by `python -m personalize.docs.tables` -->\n"
END = "<!-- end of what is made -->\n"
PAGE = ROOT / "docs" / "reference" / "settings.md"


def markdown_table(rows: Iterable[SettingRow]) -> Iterator[str]:
    """A table of settings with their defaults, line by line."""
    yield "| setting | what it is | allowed | default |"
    yield "|---|---|---|---|"
    for row in rows:
        kind = row.kind.replace("|", "\\|")
        default = row.default if row.default in ("required", "none") else f"`{row.default}`"
        yield f"| `{row.key}` | {row.description} | {kind} | {default} |"


def renewed() -> str:
    """The text of the page with new tables between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    tables = [
        line
        for group, rows in groupby(describe_settings(Settings), key=lambda row: re.split("[. ]", row.key)[0])
        for line in (f"## {group}", "", *markdown_table(rows), "")
    ]
    return "\n".join([before + START, *tables, END + after])


if __name__ == "__main__":
    PAGE.write_text(renewed(), encoding="utf-8")
