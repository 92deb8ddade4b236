"""The stack's file as git knows it."""

import subprocess
from pathlib import Path

from tools.paths import ROOT


def settings_at(revision: str, stack: str) -> Path | None:
    """The file as it was at a git revision, in a file below `dist`; None where there was none."""
    name = f"Pulumi.{stack}.yaml"
    shown = _git("show", f"{revision}:{name}")
    if shown.returncode != 0:
        return None
    file = ROOT / "dist" / "before" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(shown.stdout, encoding="utf-8")
    return file


def changed_settings(stack: str) -> str:
    """What a command wrote into the file, as a diff; empty when it is as it was committed."""
    return _git("diff", "--", f"Pulumi.{stack}.yaml").stdout


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - each argument is one of its own
        ["git", *arguments],  # noqa: S607 - git is what brought this file
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
