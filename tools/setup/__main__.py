"""`python -m tools.setup`: the part of the set-up that runs in the project's environment."""

import sys

from scoring.native.build import KernelBuildError, build
from tools.setup.console import exit_status, say
from tools.setup.pulumi import ensure_pulumi


def ensure_kernel() -> None:
    """Install the service's kernel into this environment; without a C compiler, say what that costs and continue."""
    try:
        build()
    except KernelBuildError as error:
        say(f"note: {error} The service runs without its compiled kernel, at half the speed; install `gcc` to get it.")


def prepare() -> None:
    """Compile the service's kernel and get the Pulumi CLI; raises `SetupError`."""
    ensure_kernel()
    ensure_pulumi()


if __name__ == "__main__":
    sys.exit(exit_status(prepare))
