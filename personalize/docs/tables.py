"""`python -m personalize.docs.tables` writes the generated tables in `docs/reference`.

A test finds outdated ones. The pages are in git so that they can be read without building the site.
"""

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from infra.cost.prices import snapshot
from infra.settings import Settings
from infra.settings_text import describe_settings
from personalize.views.settings_table import markdown_table
from tools.paths import ROOT

START = "<!-- made by `python -m personalize.docs.tables` -->\n"
END = "<!-- end of what is made -->\n"
REFERENCE = ROOT / "docs" / "reference"


def settings_tables() -> Iterator[str]:
    """A table of settings for each group, line by line."""
    for group, rows in groupby(describe_settings(Settings), key=lambda row: re.split("[. ]", row.key)[0]):
        yield from (f"## {group}", "", *markdown_table(rows), "")


def prices_table() -> Iterator[str]:
    """The table of prices in US dollars, line by line."""
    prices = snapshot()
    yield from (f"## Prices of {prices.as_of}", "", f"They were {prices.source}.", "")
    yield from ("| what | USD | for one | region | confidence | source |", "|---|---|---|---|---|---|")
    for row in prices.rows.values():
        usd = f"{row.usd.likely.normalize():f}"
        if row.usd.low != row.usd.high:
            usd += f" ({row.usd.low.normalize():f} to {row.usd.high.normalize():f})"
        yield f"| `{row.id}` | {usd} | {row.unit} | {row.region} | {row.confidence} | {row.source} |"
    yield ""


TABLES: dict[Path, Callable[[], Iterator[str]]] = {
    REFERENCE / "settings.md": settings_tables,
    REFERENCE / "prices.md": prices_table,
}
"""The content between the two marks of each page."""


def renewed(page: Path) -> str:
    """The text of a page of `TABLES` with a new table between its marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return "\n".join([before + START, *TABLES[page](), END + after])


if __name__ == "__main__":
    for page in TABLES:
        page.write_text(renewed(page), encoding="utf-8")
