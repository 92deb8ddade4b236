"""The stacks of `paths.py` with the real Pulumi engine, from a dataset's files to a service and back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e import data_files
from tests.e2e.conftest import LENIENT_GATE
from tests.e2e.life import Life
from tests.e2e.paths import OTHERS, README, Data, StackPath
from tests.support.checkout import Checkout
from tools.paths import ROOT

pytestmark = [pytest.mark.full, pytest.mark.engine, pytest.mark.spark]

FEW_TREES = {"num_iterations": 10, "driver_memory_gib": 1}
MINE = "mine.yaml"


@pytest.fixture
def stack(project: Checkout) -> Iterator[Checkout]:
    """The project, without a stack before and after the test."""
    kept = project.stack_file.read_text()
    yield project
    project.start("destroy", "--yes").communicate(timeout=120)
    project.stack_file.write_text(kept)


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_a_stack_lives_through_everything_on_its_data(path: StackPath, stack: Checkout, tmp_path: Path) -> None:
    place = tmp_path / "data"

    def configure(data: Data, *, later: bool = False) -> None:
        dataset = data_files.setting(data, place, ROOT / "examples" / "tables", later=later)
        stack.configure(dataset=dataset, training=FEW_TREES | {"split": data.split}, gate=LENIENT_GATE)

    life = Life(stack, tmp_path)
    configure(path.refused)
    life.refused_up()
    configure(path.first)
    _first_half(life)
    if path.first == path.second:
        life.night("No new data since the last training: nothing to do.", trains=False)
        configure(path.second, later=True)
        life.night("There is new data: training a model on it.", trains=True)
    else:
        configure(path.second, later=True)
        life.new_data()
    _second_half(life, place)
    assert life.champion_was_compared(2) is (path.first.split == path.second.split)
    _end(life)


def test_the_readmes_tables_are_trained_on_as_it_shows(stack: Checkout, tmp_path: Path) -> None:
    """`tests/docs` runs what the README shows, too; here the answers are compared with training's probabilities."""
    mine = stack.folder / MINE
    tables = stack.folder / "examples" / "tables"
    shown = settings_in_the_readme() | {"personalization:scoring": {"port": stack.port}}
    by_time = {"personalization:training": {"split": README.second.split}, "personalization:gate": LENIENT_GATE}
    without_time = {"personalization:dataset": data_files.setting(README.refused, tmp_path, tables, later=False)}

    life = Life(stack, tmp_path, options=("--config-file", MINE))
    mine.write_text(yaml.safe_dump({"config": shown}))
    _first_half(life)
    mine.write_text(yaml.safe_dump({"config": shown | by_time | without_time}))
    life.refused_up()
    with (tables / "interactions.csv").open("r+") as interactions:
        interactions.writelines(interactions.readlines()[-data_files.LATER_ROWS :])
    mine.write_text(yaml.safe_dump({"config": shown | by_time}))
    life.new_data()
    _second_half(life, tables)
    _end(life)


def settings_in_the_readme() -> dict[str, object]:
    """The lines under "Bring your own data" that a reader copies into `mine.yaml`."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Bring your own data")[2]
    (block,) = re.findall(r"```yaml\n(?:# [^\n]+\n)?(config:\n.*?)```", section, re.DOTALL)
    settings: dict[str, object] = yaml.safe_load(block)["config"]
    assert settings["personalization:dataset"] == {"kind": "tables", "spec": "examples/tables/dataset.yaml"}
    return settings


def _first_half(life: Life) -> None:
    life.first_up()
    life.second_up()
    life.predict(1)
    life.rank(1)
    life.explain(1)


def _second_half(life: Life, place: Path) -> None:
    """A rollback, which must not need the data in `place`."""
    life.predict(2)
    with data_files.hidden(place):
        life.roll_back()
    life.predict(1)
    assert set(life.checkout.json("preview", *life.options)["changes"]) == {"same"}


def _end(life: Life) -> None:
    life.checkout.run("destroy", "--yes")
    assert not life.checkout.state.exists()
