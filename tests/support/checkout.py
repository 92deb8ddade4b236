"""A copy of the working tree with its own environment, state and port: what somebody who cloned the project has."""

import json
import os
import random
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.working_tree import copy_working_tree
from tools.setup.uv import ensure_uv

EXTRAS = ("local", "scoring", "infra")
STACK_FILE = "Pulumi.local.yaml"
PORTS = range(20_000, 32_000)
"""Below Linux's default for `net.ipv4.ip_local_port_range`, 32768 to 60999."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at the moment.

    It is none of those that the system gives to who asks for any, so that no other program gets it meanwhile.
    """
    for port in random.sample(PORTS, k=len(PORTS)):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@dataclass(frozen=True)
class Checkout:
    """The copy in `folder`; its service listens on `port`."""

    folder: Path
    port: int

    @classmethod
    def make(cls, folder: Path) -> "Checkout":
        """Copy what git would have in the next commit, and give the copy an environment from the lock file."""
        copy_working_tree(folder)
        extras = [part for extra in EXTRAS for part in ("--extra", extra)]
        subprocess.run(
            [ensure_uv(), "sync", "--frozen", "--quiet", "--no-dev", *extras], cwd=folder, env=environment(), check=True
        )
        _share_compiled(folder / ".venv" / "lib")
        checkout = cls(folder, free_port())
        checkout.configure(scoring={"port": checkout.port})
        return checkout

    def configure(self, **settings: Any) -> None:
        """Set settings in the stack file as a user would with an editor."""
        content = yaml.safe_load(self.stack_file.read_text())
        for name, value in settings.items():
            content["config"][f"personalization:{name}"] = value
        self.stack_file.write_text(yaml.safe_dump(content))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `personalize` in a session of its own, so that a signal reaches it alone."""
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
        """Run `personalize` and insist on its exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout_seconds)
        assert process.returncode == code, f"personalize {arguments} ended with {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """What `personalize ... --json` prints."""
        return json.loads(self.run(*arguments, "--json").stdout)

    @property
    def stack_file(self) -> Path:
        """What the user edits."""
        return self.folder / STACK_FILE

    @property
    def state(self) -> Path:
        """The stack's folder."""
        return self.folder / ".personalize" / "local"


def _share_compiled(packages: Path) -> None:
    """Give a new environment what was compiled of the same files in this one: it takes seconds in each copy, often in
    several processes at once. Python compiles anew what does not fit, and what lies on another file system.
    """
    ours = Path(sys.prefix, "lib")
    for compiled in ours.rglob("__pycache__/*.pyc"):
        place = packages / compiled.relative_to(ours)
        if place.parents[1].is_dir():
            place.parent.mkdir(exist_ok=True)
            with suppress(OSError):
                place.hardlink_to(compiled)


def environment() -> dict[str, str]:
    """This process's environment without what would point the copy at another environment."""
    return {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
