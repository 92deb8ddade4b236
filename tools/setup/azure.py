"""`python -m tools.setup.azure [GROUP ...]` installs the packages for Azure, which stack `local` does not need.

The dependency group `simulation` has Node, on which the simulated Azure's Blob service runs.
"""

import sys

from tools.setup.console import exit_status
from tools.setup.packages import ensure_azure_packages
from tools.setup.uv import ensure_uv

if __name__ == "__main__":
    sys.exit(exit_status(lambda: ensure_azure_packages(ensure_uv(), *sys.argv[1:])))
