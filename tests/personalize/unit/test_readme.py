"""The README: short, with the two commands to start, a map of the packages, and an example from `examples`."""

import yaml

from tests.support.commands import commands_in
from tests.support.page_blocks import README, blocks
from tools.paths import ROOT

TEXT = README.read_text(encoding="utf-8")


def test_the_readme_has_at_most_150_lines() -> None:
    assert len(TEXT.splitlines()) <= 150


def test_the_start_is_two_commands() -> None:
    typed = [command for block in blocks(TEXT) if block.section == "Start" for command in commands_in(block)]
    assert typed == [["make", "up"], [".venv/bin/personalize", "recommend", "u17", "--top", "5"]]


def test_every_package_is_in_the_table_of_what_is_where() -> None:
    table = TEXT.partition("## What is where")[2]
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert len(packages) > 5
    assert {name for name in packages if f"`{name}/`" not in table} == set()


def test_the_own_data_of_the_readme_are_the_tables_in_examples() -> None:
    [block] = [block for block in blocks(TEXT) if block.file == "Pulumi.local.yaml"]
    dataset = yaml.safe_load(block.content)["config"]["personalization:dataset"]
    assert (ROOT / dataset["spec"]).is_file()
