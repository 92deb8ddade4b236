"""Runs tests with and without the compiled kernel."""

import pytest

from scoring.native import Kernel
from tests.support.kernels import built_kernel


@pytest.fixture(scope="session", params=["compiled", "plain"])
def kernel(request: pytest.FixtureRequest) -> Kernel | None:
    """The compiled kernel, or None for the implementation without it."""
    return built_kernel() if request.param == "compiled" else None
