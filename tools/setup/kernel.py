"""Compiles the service's kernel if this machine has a C compiler."""

from scoring.native.build import KernelBuildError, build
from tools.setup.console import say


def ensure_kernel() -> None:
    """Install the kernel into this environment; without a compiler, say what that costs and continue."""
    try:
        build()
    except KernelBuildError as error:
        say(f"note: {error} The service runs without its compiled kernel, at half the speed; install `gcc` to get it.")
