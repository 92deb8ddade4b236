"""Compiles the kernel into the environment of the Python that runs this file, where `scoring.native` finds it.

The machine's set-up and the Dockerfile run it. The kernel is optional: without it, the service gets the same results
from NumPy and LightGBM, only slower. Standard library only, since the Dockerfile runs it before anything is installed.
"""

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("kernel.c")
OPTIONS = ("-O3", "-fno-tree-slp-vectorize", "-ffp-contract=off", "-shared", "-fPIC")
"""The results must equal those of NumPy and LightGBM to the last bit: so no `-ffast-math`, no fused multiplication, and
not GCC 12's SLP vectorizer, which skips rounding a mean to float32."""
DARWIN_OPTIONS = ("-undefined", "dynamic_lookup")
"""The macOS linker has to be told that the Python executable provides Python's symbols."""


class KernelBuildError(Exception):
    """The kernel cannot be compiled here."""


def target() -> Path:
    """The path of the kernel built from this source. The name contains a hash, so kernels are never mixed up."""
    digits = hashlib.sha256(SOURCE.read_bytes() + repr(OPTIONS).encode()).hexdigest()[:16]
    return Path(sysconfig.get_path("platlib"), f"personalization-kernel-{digits}.so")


def build() -> Path:
    """Compile the kernel unless it is there; raises `KernelBuildError`."""
    wanted = target()
    if wanted.exists():
        return wanted
    aside = wanted.with_suffix(f".{os.getpid()}")
    options = (*OPTIONS, *(DARWIN_OPTIONS if sys.platform == "darwin" else ()))
    command = ["cc", *options, f"-I{sysconfig.get_path('include')}", str(SOURCE), "-o", str(aside), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    except OSError as error:
        raise KernelBuildError(f"There is no C compiler `cc` here ({error.strerror}).") from error
    if done.returncode != 0:
        raise KernelBuildError(f"The C compiler refused the kernel: {done.stderr.strip()[:500]}")
    with aside.open("rb") as built:
        os.fsync(built.fileno())  # a rename must not come before the content
    aside.rename(wanted)
    for other in wanted.parent.glob("personalization-kernel-*.so"):
        if other != wanted:
            other.unlink()
    return wanted


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except KernelBuildError as problem:
        sys.exit(f"error: {problem}")
