"""Copies the files that the next git commit would contain."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def copy_working_tree(folder: Path) -> None:
    """Copy them into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=SOURCE,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (SOURCE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCE / name, folder / name)
