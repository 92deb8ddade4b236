"""One small training run, shared by all tests of its results. No run here draws the plots of its report."""

from collections.abc import Iterator

import pytest

from tests.support.training_runs import Run, train
from tests.support.undrawn import undrawn


@pytest.fixture(scope="module", autouse=True)
def _undrawn() -> Iterator[None]:
    with undrawn():
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 4,000 rows like Criteo's, in a folder whose name looks like a glob pattern and a URI escape to Spark."""
    with undrawn():
        return train(tmp_path_factory.mktemp("run") / "a run [1] of 100%20")
