"""`python -m tools.azurite`: installs Azurite, Microsoft's emulator of the Blob service."""

import sys
from pathlib import Path

from tools.npm import folder, install, node
from tools.setup.console import exit_status

NAME = "azurite"
MAIN = Path("node_modules", "azurite", "dist", "src", "blob", "main.js")


def command() -> list[str] | None:
    """The command that starts the Blob service; None if Azurite or Node is missing."""
    runner, main = node(), folder(NAME) / MAIN
    return [runner, str(main)] if runner and main.exists() else None


if __name__ == "__main__":
    sys.exit(exit_status(lambda: install(NAME, "Installing Azurite (some 200 MB, this once)")))
