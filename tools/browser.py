"""`python -m tools.browser`: finds Chromium for the tests of the service's page, else lets Playwright download its own.

A machine that can't reach Playwright's server only loses those tests, so that is no error: it says what is not tested.
"""

import os
import shutil
import sys
from pathlib import Path

from tools.paths import cache_folder
from tools.setup.console import SetupError, exit_status, run_reported, say
from tools.setup.trust import trusting

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""The names on Debian and GitHub's runners, on Ubuntu, and of Google Chrome."""
FOLDER = "PLAYWRIGHT_BROWSERS_PATH"
DOWNLOADED = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium")
TIMEOUT_SECONDS = 600


def command() -> str | None:
    """The browser on PATH, else the downloaded one; None without either."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or next((str(path) for pattern in DOWNLOADED for path in sorted(_folder().glob(pattern))), None)


def ensure_browser() -> None:
    """Download Chromium unless there is one."""
    if command() is not None:
        return
    try:
        run_reported(
            [sys.executable, "-m", "playwright", "install", "chromium"],
            "Downloading Chromium (some 300 MB, this once)",
            folder=Path.cwd(),
            environment=trusting() | {FOLDER: str(_folder())},
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except SetupError as error:
        say(f"note: {error}")
        say("note: there is no Chromium, so the service's page is not tested; `apt-get install chromium` installs it.")


def _folder() -> Path:
    return Path(os.environ.get(FOLDER) or cache_folder() / "browsers")


if __name__ == "__main__":
    sys.exit(exit_status(ensure_browser))
