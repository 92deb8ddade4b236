"""The service's compiled kernel, built for the tests that compare it with what computes the same without it."""

import shutil

import pytest

from scoring.native import Kernel, load
from scoring.native.build import build


def built_kernel() -> Kernel:
    """The kernel of the source that is there; skips the test on a machine without a C compiler."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler `cc` on this machine")
    build()
    kernel = load()
    assert kernel is not None
    return kernel
