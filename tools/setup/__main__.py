"""`python -m tools.setup`: the part of the set-up that runs in the project's own environment."""

import sys

from tools.setup.console import exit_status
from tools.setup.pulumi import ensure_pulumi

if __name__ == "__main__":
    sys.exit(exit_status(ensure_pulumi))
