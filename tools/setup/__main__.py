"""`python -m tools.setup`: the part of the set-up that runs in the project's environment."""

import sys

from tools.setup.console import exit_status
from tools.setup.kernel import ensure_kernel
from tools.setup.pulumi import ensure_pulumi


def main() -> int:
    """Prepare, and return the exit status."""
    ensure_kernel()
    return exit_status(ensure_pulumi)


if __name__ == "__main__":
    sys.exit(main())
