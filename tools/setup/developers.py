"""`python -m tools.setup.developers` installs what tests, style and types need, and what a stack does not."""

import sys

from tools.setup.console import exit_status
from tools.setup.packages import ensure_developers
from tools.setup.uv import ensure_uv

if __name__ == "__main__":
    sys.exit(exit_status(lambda: ensure_developers(ensure_uv())))
