"""One small training run for all tests that look at what a run leaves behind."""

import pytest

from tests.support.training_runs import Run, train


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 4,000 synthetic rows, in a folder whose name Spark would take for a pattern, or for encoded."""
    return train(tmp_path_factory.mktemp("run") / "a run [1] of 100%20")
