"""`python -m personalize.docs.site`: builds the documentation's site into `dist/site`, strictly.

Every page is a file in `docs/`, but for the commands' options, which typer lists. mkdocs reads them in `dist/docs`.
"""

import re
import shutil
import subprocess
import sys

from tools.paths import ROOT
from tools.setup.trust import trusting
from tools.setup.uv import ensure_uv

SOURCE = ROOT / "dist" / "docs"
CONFIGURATION = ROOT / "mkdocs.yml"


def options_page() -> str:
    """Every command with its options, from typer."""
    command = [sys.executable, "-m", "typer", "personalize.commands.app", "utils", "docs", "--name", "personalize"]
    text = subprocess.run(  # noqa: S603 - this very Python
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    bold = re.sub("<span[^>]*>(.*?)</span>", r"**\1**", text)
    return bold.replace("&#x27;", "'").replace("&quot;", '"')


def main() -> int:
    """Build the site. Returns mkdocs' exit code, which is 1 for a warning too."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE)
    (SOURCE / "reference" / "options.md").write_text(options_page(), encoding="utf-8")
    run = [str(ensure_uv()), "run", "--project", str(ROOT), "--frozen", "--isolated", "--only-group", "docs"]
    mkdocs = ["mkdocs", "build", "--strict", "--config-file", str(CONFIGURATION)]
    # Silences mkdocs-material's announcement of its end of life in 2027, which is not about our pages.
    quiet = trusting() | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(  # noqa: S603 - the uv that the set-up chose
        [*run, *mkdocs], cwd=ROOT, env=quiet, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
