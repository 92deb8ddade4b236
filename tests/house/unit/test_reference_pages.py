"""The pages in `docs/reference` match the code."""

import re
from pathlib import Path

import pytest
import yaml

from personalize.commands.app import command_names
from personalize.docs.tables import REFERENCE, TABLES, renewed
from tests.support.page_blocks import blocks_of
from tools.paths import ROOT

OWN_DATA = ROOT / "docs" / "how-to" / "own-data.md"


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.stem)
def test_the_tables_are_up_to_date(page: Path) -> None:
    assert renewed(page) == page.read_text(encoding="utf-8"), "run `python -m personalize.docs.tables`"


def test_every_command_is_in_the_table_and_no_other() -> None:
    commands = set(command_names())
    text = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)", row)} == commands


def test_the_example_of_own_data_is_the_one_in_examples() -> None:
    name = "examples/tables/dataset.yaml"
    [block] = [block for block in blocks_of(OWN_DATA) if block.file == name]
    assert yaml.safe_load(block.content) == yaml.safe_load((ROOT / name).read_text())
