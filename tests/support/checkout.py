"""A copy of the working tree with its own environment, state and port, as after cloning the project."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.support.ports import free_port
from tools.paths import ROOT
from tools.setup.packages import STACK
from tools.setup.uv import ensure_uv

STACK_FILE = "Pulumi.local.yaml"


@dataclass(frozen=True)
class Checkout:
    """The copy in `folder`; its service listens on `port`."""

    folder: Path
    port: int

    @classmethod
    def make(cls, folder: Path) -> "Checkout":
        """Copy what the next git commit would contain, and give the copy an environment from the lock file."""
        copy_working_tree(folder)
        extras = [part for extra in STACK for part in ("--extra", extra)]
        subprocess.run(
            [ensure_uv(), "sync", "--frozen", "--quiet", "--no-dev", *extras], cwd=folder, env=environment(), check=True
        )
        _share_compiled(folder / ".venv" / "lib")
        checkout = cls(folder, free_port())
        checkout.configure(scoring={"port": checkout.port})
        return checkout

    def configure(self, **settings: Any) -> None:
        """Change settings in the stack file, as a user would with an editor."""
        content = yaml.safe_load(self.stack_file.read_text())
        for name, value in settings.items():
            content["config"][f"personalization:{name}"] = value
        self.stack_file.write_text(yaml.safe_dump(content))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `personalize` in its own session, so that a signal reaches it alone."""
        return subprocess.Popen(
            [self.folder / ".venv" / "bin" / "personalize", *arguments],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0, timeout_seconds: float = 400) -> subprocess.CompletedProcess[str]:
        """Run `personalize` and check its exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout_seconds)
        assert process.returncode == code, f"personalize {arguments} ended with {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def processes(self) -> list[psutil.Process]:
        """Every process of the stack."""
        return processes_of(self.folder)

    def json(self, *arguments: str) -> Any:
        """What `personalize ... --json` prints."""
        return json.loads(self.run(*arguments, "--json").stdout)

    @property
    def stack_file(self) -> Path:
        """The stack file, which the user edits."""
        return self.folder / STACK_FILE

    @property
    def state(self) -> Path:
        """The stack's folder."""
        return self.folder / ".personalize" / "local"


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process with this folder in its command line."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(str(folder) in part for part in process.cmdline()):
                found.append(process)
    return found


def copy_working_tree(folder: Path) -> None:
    """Copy the files that the next git commit would contain into `folder`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _share_compiled(packages: Path) -> None:
    """Link this environment's compiled files into a new one: compiling takes seconds in each copy, often in several
    processes at once. Python recompiles what doesn't match, or what is on another file system."""
    ours = Path(sys.prefix, "lib")
    for compiled in ours.rglob("__pycache__/*.pyc"):
        place = packages / compiled.relative_to(ours)
        if place.parents[1].is_dir():
            place.parent.mkdir(exist_ok=True)
            with suppress(OSError):
                place.hardlink_to(compiled)


def environment() -> dict[str, str]:
    """This process's environment variables, but for those that lead to another environment or limit threads."""
    own = {"VIRTUAL_ENV", "PYTHONPATH", "OPENBLAS_NUM_THREADS"}
    return {name: value for name, value in os.environ.items() if name not in own}
