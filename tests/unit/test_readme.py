"""The README says what the project does: its table of settings, its commands and its files are checked."""

import re

import yaml

from personalize.commands.app import PANELS
from personalize.docs.readme import README, with_settings
from tests.support.blocks import blocks
from tests.support.commands import commands_in
from tools.paths import ROOT

TEXT = README.read_text(encoding="utf-8")


def test_the_table_of_settings_is_up_to_date() -> None:
    assert with_settings(TEXT) == TEXT, "run `python -m personalize.docs.readme`"


def test_a_changed_table_would_be_noticed() -> None:
    changed = TEXT.replace("Leaves per tree", "Leafs per tree")
    assert changed != TEXT
    assert with_settings(changed) != changed


def test_every_command_is_in_the_readme_and_no_other() -> None:
    commands = {command.__name__.replace("_", "-") for commands in PANELS.values() for command in commands}
    table = TEXT.partition("| command | what it does |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)", row)} == commands
    assert set(re.findall(r"personalize ([a-z][a-z-]*)", TEXT)) <= commands


def test_the_set_up_is_two_commands() -> None:
    typed = [command for block in blocks(TEXT) if block.section == "Start" for command in commands_in(block)]
    assert typed == [["make", "up"], ["make", "test"]]


def test_every_file_that_the_readme_names_exists() -> None:
    paths = re.findall(r"`((?:features|training|scoring|infra|tools|examples|docs)/[\w./-]*|[A-Z]+\.md)`", TEXT)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_example_of_own_data_is_the_one_in_examples() -> None:
    name = "examples/tables/dataset.yaml"
    [block] = [block for block in blocks(TEXT) if block.file == name]
    assert yaml.safe_load(block.content) == yaml.safe_load((ROOT / name).read_text())
