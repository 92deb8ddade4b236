"""`python -m tools.setup`: the part of the set-up that runs in the project's own environment."""

import sys

from features.errors import PersonalizationError
from tools.setup.console import say
from tools.setup.pulumi import ensure_pulumi

INTERRUPTED = 130


def main() -> int:
    """Prepare what is missing and return the exit status."""
    try:
        ensure_pulumi()
    except PersonalizationError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
