"""The service's compiled kernel, for tests that compare it with the code that replaces it where there is no
compiler."""

import shutil
import sysconfig
from pathlib import Path

import pytest

from scoring.native import Kernel, load
from scoring.native.build import build


def built_kernel() -> Kernel:
    """The kernel of the current source; skips the test if this machine can't compile it."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler `cc` on this machine")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("there are no headers of this Python on this machine")
    build()
    kernel = load()
    assert kernel is not None
    return kernel
