"""Sources of the documentation site. `make docs` builds the site and checks its links."""

import re
from typing import Any

import pytest
import yaml

from personalize.docs import site
from tools.paths import ROOT


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return site.pages()


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml and ignores the Python name in it."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda *_: None)


def listed(entry: Any) -> set[str]:
    """The pages in a part of mkdocs' `nav`."""
    match entry:
        case str():
            return {entry}
        case list():
            return set().union(*map(listed, entry))
        case _:
            return set().union(*map(listed, entry.values()))


def test_every_page_is_in_the_navigation_or_the_list_of_decisions_and_nothing_else(pages: dict[str, str]) -> None:
    configuration = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe loader
    files = {file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")}
    decisions = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    in_list = {f"decisions/{file}" for file in re.findall(r"\(([\w-]+\.md)\)", decisions)}
    assert listed(configuration["nav"]) | in_list == files | set(pages)
    assert files & set(pages) == set(), "a file of docs/ would be overwritten"
