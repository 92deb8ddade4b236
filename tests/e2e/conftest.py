"""One copy of the project for all end-to-end tests of a module, destroyed at the end whatever happened."""

import shutil
from collections.abc import Iterator

import pytest

from tests.support.checkout import Checkout

ROWS = 5_000
LENIENT_GATE = {"min_auc": 0.55, "max_calibration_error": 0.2, "max_log_loss_rise": 1.0}
"""So few rows make poor models, and these tests are about the steps."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose stack trains on few rows, so that a training run takes seconds; its name has a space."""
    made = Checkout.make(tmp_path_factory.mktemp("checkout") / "my projects")
    made.configure(
        dataset={"kind": "synthetic", "rows": ROWS},
        training={"num_iterations": 20, "driver_memory_gib": 1},
        gate=LENIENT_GATE,
    )
    yield made
    made.start("destroy", "--yes").communicate(timeout=120)
    shutil.rmtree(made.folder, ignore_errors=True)
