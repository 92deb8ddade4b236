"""Pulumi's official installation into a folder: `python -m tools.setup.official_pulumi FOLDER VERSION`.

A process of its own, because the installer has no time limit and offers no way to set one.
"""

import socket
import subprocess
import sys

from pulumi.automation import PulumiCommand
from semver import VersionInfo

CONNECT_TIMEOUT_SECONDS = 10


def main(folder: str, version: str) -> int:
    """Install and return the exit status; a failure is one line on standard error."""
    socket.setdefaulttimeout(CONNECT_TIMEOUT_SECONDS)
    try:
        PulumiCommand.install(root=folder, version=VersionInfo.parse(version))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
