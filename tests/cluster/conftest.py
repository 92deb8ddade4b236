"""A real control plane for the tests of this folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.kubernetes.control_plane import ControlPlane
from tools.control_plane import binaries, missing


def binaries_or_skip() -> dict[str, Path]:
    """The programs of the control plane; skips the test where they were not built."""
    absent = [program.name for program in missing() if program.name != "pulumi-resource-kubernetes"]
    if absent:
        pytest.skip(f"needs `python -m tools.control_plane` (20 minutes, once): {', '.join(absent)} not built")
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (util-linux)")
    return binaries()


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One control plane for the session."""
    started = ControlPlane(tmp_path_factory.mktemp("plane"), binaries_or_skip())
    try:
        started.start()
        yield started
    finally:
        started.stop()
