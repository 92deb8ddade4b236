"""`python -m tools.setup.azure [GROUP ...]`: the packages for Azure, which stack `local` does without.

The dependency group `simulation` is what the simulated Azure needs beside them.
"""

import sys

from tools.setup.console import SetupError, say
from tools.setup.packages import ensure_azure_packages
from tools.setup.uv import ensure_uv


def main() -> int:
    """Install what is missing and return the exit status."""
    try:
        ensure_azure_packages(ensure_uv(), *sys.argv[1:])
    except SetupError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
