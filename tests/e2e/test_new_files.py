"""A folder that gets another file: the next `up` trains on it beside the champion, and a rollback needs no file."""

import gzip
from pathlib import Path

import pytest

from tests.e2e.conftest import LENIENT_GATE, ROWS, TRAINING
from tests.e2e.life import Life
from tests.support.checkout import Checkout
from tests.support.criteo_rows import write

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def add_day(days: Path, number: int) -> None:
    """Another day of rows in Criteo's format."""
    days.mkdir(exist_ok=True)
    rows = write(days.parent / "rows.tsv", ROWS, seed=number).read_bytes()
    (days / f"day_{number}.gz").write_bytes(gzip.compress(rows, mtime=0))


def test_a_new_file_is_trained_on_and_the_former_version_can_serve_again(checkout: Checkout, tmp_path: Path) -> None:
    days = tmp_path / "days"
    life = Life(checkout, tmp_path)
    checkout.configure(dataset={"kind": "criteo", "path": str(days)}, training=TRAINING, gate=LENIENT_GATE)
    for number in range(2):
        add_day(days, number)
    life.first_up()
    life.second_up()
    life.predict(1)
    assert checkout.json("up", "--if-new-data")["skipped"] == "No new data since the last training: nothing to do."
    add_day(days, 2)
    checkout.configure(training=TRAINING | {"num_leaves": 7})
    assert "training would change too. Deploy first." in checkout.json("up", "--if-new-data")["skipped"]
    checkout.configure(training=TRAINING)
    life.options = ("--if-new-data", "--refuse-data-loss")
    life.new_data()
    assert life.champion_was_compared(2)
    life.predict(2)
    life.options = ()
    days.rename(tmp_path / "aside")
    life.roll_back()
    life.predict(1)
    checkout.run("destroy", "--yes")
    assert not checkout.state.exists()
