"""The examples in CONTRIBUTING: changes that a test applies to a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.paths import ROOT


def example(section: str) -> str:
    """The change in a section, as a patch."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"\n### {section}\n")[2]
    (found,) = re.findall(r"```diff\n(.*?)```", text.partition("\n### ")[0], flags=re.DOTALL)
    return str(found)


def files_of(patch: str) -> int:
    """How many files a patch changes."""
    return len(re.findall(r"^\+\+\+ b/", patch, flags=re.MULTILINE))


def run_in_changed_copy(patch: str, script: str, folder: Path, *paths: str) -> str:
    """What `script` prints in a copy of these files and folders, in `folder`, to which the patch is applied."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, folder / path)
    # Outside any checkout, git applies a patch to plain files.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent), "PYTHONPATH": str(folder)}
    printed = ""
    for command, given in ((("git", "apply", "--unidiff-zero", "-"), patch), ((sys.executable, "-c", script), "")):
        found = subprocess.run(
            command, input=given, cwd=folder, env=environment, text=True, capture_output=True, check=False
        )
        assert found.returncode == 0, found.stderr
        printed = found.stdout
    return printed
