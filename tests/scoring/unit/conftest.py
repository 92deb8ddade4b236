"""What the units are tested with and without."""

import pytest

from scoring.native import Kernel
from tests.support.kernels import built_kernel


@pytest.fixture(scope="session", params=["compiled", "plain"])
def kernel(request: pytest.FixtureRequest) -> Kernel | None:
    """The compiled kernel, and None for what is computed without it."""
    return built_kernel() if request.param == "compiled" else None
