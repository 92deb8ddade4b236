"""`python -m tools.audit`: looks for known vulnerabilities in what is deployed, with OSV-Scanner.

It asks osv.dev about the locked packages and the sources of Pulumi's engine. The image's Debian packages have today's
updates whenever it is built. Programs that only tests and benchmarks run are left out: they hold no permissions, and
Dependabot updates them.
"""

import subprocess
import sys

from tools.paths import ROOT
from tools.setup.console import exit_status
from tools.setup.golang import GoProgram, built

SCANNER = GoProgram("osv-scanner", "osv-scanner", "github.com/google/osv-scanner/v2/cmd/osv-scanner")
LOCKS = ("uv.lock", "tools/pulumi/go.mod")


def audit() -> None:
    """Run the scanner; ends the process with its status, which is not 0 for a vulnerability."""
    locks = [part for lock in LOCKS for part in ("--lockfile", lock)]
    (scanner,) = built(SCANNER)
    sys.exit(subprocess.run([scanner, "scan", "source", *locks], cwd=ROOT, check=False).returncode)  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(exit_status(audit))
