"""One small training run, shared by all tests of its results."""

import pytest

from tests.support.training_runs import Run, train


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 4,000 synthetic rows, in a folder whose name looks like a glob pattern and a URI escape to Spark."""
    return train(tmp_path_factory.mktemp("run") / "a run [1] of 100%20")
