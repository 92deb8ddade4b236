"""One copy of the project for all end-to-end tests. Each module's stack is destroyed, even after a failure."""

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import Checkout
from tests.support.criteo_rows import write

ROWS = 2_500
"""Of a day."""
TRAINING = {"num_iterations": 20, "driver_memory_gib": 1}
LENIENT_GATE = {"min_auc": 0.55, "max_calibration_error": 0.2, "max_log_loss_rise": 1.0, "min_log_loss_gain": -1.0}
"""These tests are about the steps: so few rows give poor models, which must pass the gate all the same."""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the project in a folder with a space in its name; only its stack file's port differs."""
    made = Checkout.make(tmp_path_factory.mktemp("checkout") / "my projects")
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


def add_day(days: Path, number: int) -> None:
    """Another day of rows in Criteo's format."""
    rows = write(days.parent / "rows.tsv", ROWS, seed=number).read_bytes()
    (days / f"day_{number}.gz").write_bytes(gzip.compress(rows, mtime=0))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two days."""
    folder = tmp_path_factory.mktemp("data") / "days"
    folder.mkdir()
    for number in range(2):
        add_day(folder, number)
    return folder


@pytest.fixture(scope="module")
def checkout(project: Checkout, days: Path) -> Iterator[Checkout]:
    """The project, with settings for a training run of seconds."""
    kept = project.stack_file.read_text()
    project.configure(dataset={"kind": "criteo", "path": str(days)}, training=TRAINING, gate=LENIENT_GATE)
    yield project
    project.start("destroy", "--yes").communicate(timeout=120)
    project.stack_file.write_text(kept)
