"""Compiles the service's kernel, where this machine has a C compiler."""

from scoring.native.build import KernelBuildError, build
from tools.setup.console import say


def ensure_kernel() -> None:
    """Put the kernel into this environment unless it is there; without a compiler, say what that costs and go on."""
    try:
        build()
    except KernelBuildError as error:
        say(f"note: {error} The service runs without its compiled kernel, at half its speed; install `gcc` to have it.")
