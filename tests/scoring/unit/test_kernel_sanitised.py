"""The kernel under the address sanitiser: varied requests touch no foreign memory and leave none behind."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scoring.native.build import SOURCE
from tests.support.kernels import built_kernel
from tools.paths import ROOT

SANITISED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1", "-ffp-contract=off")
GROWTH_BYTES = 1 << 16
"""What Python's own caches may hold more; a leak of 350 bytes in each of the 207 calls is more."""


def sanitised(folder: Path) -> tuple[Path, str]:
    """A kernel with the sanitiser in `folder`, and the libraries to preload."""
    built_kernel()  # skips without a compiler
    libraries = []
    for name in ("libasan.so", "libubsan.so"):
        asked = subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, check=True, text=True)
        libraries.append(asked.stdout.strip())
    if not all(Path(library).is_absolute() for library in libraries):
        pytest.skip("the C compiler of this machine has no address sanitiser")
    file = folder / "kernel.so"
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["cc", *SANITISED, "-shared", "-fPIC", include, str(SOURCE), "-o", str(file), "-lm"], check=True)
    return file, " ".join(libraries)


def asked(kernel: Path, libraries: str, rows: int) -> "subprocess.CompletedProcess[str]":
    """So many requests to the kernel, in a process of its own."""
    environment = {
        **os.environ,
        "LD_PRELOAD": libraries,
        "ASAN_OPTIONS": "detect_leaks=0",  # it would report what Python itself never frees
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-m", "tests.support.sanitised_kernel", str(kernel), str(rows)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rows", [30_000, pytest.param(1_000_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])])
def test_varied_requests_touch_no_foreign_memory_and_leak_nothing(tmp_path: Path, rows: int) -> None:
    done = asked(*sanitised(tmp_path), rows)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) < GROWTH_BYTES
