"""Runs the real Pulumi engine on the simulated cloud, for programs given as functions."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pulumi import automation

from tools.paths import ROOT
from tools.toolchain import pulumi_command

PROJECT = "simulated"
PASSPHRASE = "simulated"  # noqa: S105 - it guards nothing but a test's own state


class Engine:
    """One stack with its state in `folder`; `environment` leads the plugins to the world."""

    def __init__(self, folder: Path, environment: Mapping[str, str], program: Callable[[], None]) -> None:
        """Makes the stack; `program` declares its resources."""
        self.folder = folder
        state = folder / "state"
        state.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **environment,
            # Without a second file of attributes: an engine that is killed leaves it empty, and can't be read again.
            "PULUMI_BACKEND_URL": f"{state.as_uri()}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PYTHONPATH": str(ROOT),
            "SIMULATED_PYTHON": sys.executable,
        }
        self._program = program
        self.stack = automation.create_or_select_stack(
            "test",
            project_name=PROJECT,
            program=program,
            opts=automation.LocalWorkspaceOptions(
                pulumi_command=automation.PulumiCommand(root=str(pulumi_command().parents[1])),
                env_vars=self.environment,
            ),
        )

    def up(self, *, refresh: bool = False) -> dict[str, int]:
        """Deploy; how many resources were created, updated, replaced, deleted, left the same."""
        return dict(self.stack.up(refresh=refresh).summary.resource_changes or {})  # type: ignore[arg-type]

    def refresh(self) -> dict[str, int]:
        """Compare the state with the world; the same counts."""
        return dict(self.stack.refresh().summary.resource_changes or {})  # type: ignore[arg-type]

    def destroy(self) -> dict[str, int]:
        """Delete everything; the same counts."""
        return dict(self.stack.destroy().summary.resource_changes or {})  # type: ignore[arg-type]

    def cancel(self) -> None:
        """Take the lock of an engine that was killed away."""
        self.stack.cancel()


def kill_engines(environment: Mapping[str, str]) -> list[int]:
    """SIGKILL the engines that work on this state, and return their ids: what a machine that fails does."""
    mark = f"PULUMI_BACKEND_URL={environment['PULUMI_BACKEND_URL']}"
    killed = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            values = (process / "environ").read_text(encoding="utf-8", errors="replace").split("\0")
            name = (process / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue  # it ended meanwhile, or is not ours
        if name == "pulumi" and mark in values:
            subprocess.run(["kill", "-KILL", process.name], check=False)
            killed.append(int(process.name))
    return killed
