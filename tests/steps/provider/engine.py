"""A throw-away stack in Pulumi's real engine: the steps that need no Spark, with bundles that a test supplies."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi import automation

from features.bundle import checked_hash
from infra.backend import LocalBackend
from infra.components import Registry
from infra.graph import serve
from infra.settings import Settings
from personalize.engine.automation import InterruptiblePulumi
from personalize.engine.process import PulumiProcess
from steps.descriptions.serving_settings import ScoringSettings
from tools.paths import ROOT
from tools.toolchain import pulumi_command

STACK = "test"


class EngineStack:
    """A stack in a folder; tests change `model`, `requested` and `scoring` between updates."""

    name = STACK

    def __init__(self, folder: Path, port: int) -> None:
        self.state = folder / "stacks"
        self.model = "one"
        self.requested: Any = "latest"
        self.scoring: dict[str, Any] = {"port": port}
        self.output: list[str] = []
        self._work = folder / "work"
        self._backend = folder / "backend"
        for path in (self._work, self._backend, self.state):
            path.mkdir()
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        for provider in project["plugins"]["providers"]:
            provider["path"] = str(ROOT / provider["path"])
        (self._work / "Pulumi.yaml").write_text(yaml.safe_dump({**project, "main": ".", "config": {}}))

    @property
    def folder(self) -> Path:
        """The folder of the stack's files."""
        return self.state / self.name

    def up(self, *, refresh: bool = False) -> dict[str, int]:
        """Update the stack; count resources by operation."""
        outcome = self.select().up(on_output=self.output.append, refresh=refresh)
        return _counts(outcome.summary.resource_changes)

    def preview(self) -> dict[str, int]:
        """Preview an update; count resources by operation."""
        outcome = self.select().preview(on_output=self.output.append)
        return {str(kind): count for kind, count in outcome.change_summary.items()}

    def destroy(self) -> dict[str, int]:
        """Destroy the stack; count resources by operation."""
        return _counts(self.select().destroy(on_output=self.output.append).summary.resource_changes)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, with secrets decrypted."""
        return {name: output.value for name, output in self.select().outputs().items()}

    def declare(self) -> None:
        """Declare the resources: the stack's program."""
        backend = LocalBackend(STACK)
        registry = Registry("registry", backend)
        settings = Settings(scoring=ScoringSettings(**self.scoring), model_version=self.requested)
        bundle = pulumi.Output.from_input(self.model)
        bundle_hash = pulumi.Output.from_input(checked_hash(self.folder / self.model))
        for name, value in serve(settings, backend, registry, bundle=bundle, bundle_hash=bundle_hash).items():
            pulumi.export(name, value)

    def select(self) -> automation.Stack:
        """Create or select the stack with Pulumi's Automation API."""
        variables = {
            "PULUMI_BACKEND_URL": f"file://{self._backend}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": "for tests alone",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PERSONALIZE_STATE": str(self.state),
        }
        return automation.create_or_select_stack(
            self.name,
            "personalization",
            self.declare,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(self._work),
                env_vars=variables,
                pulumi_command=InterruptiblePulumi(PulumiProcess(pulumi_command())),
            ),
        )


def _counts(changes: Mapping[automation.OpType, int] | None) -> dict[str, int]:
    return {str(kind): count for kind, count in (changes or {}).items()}


def failure(act: Callable[[], object]) -> str:
    """The engine's error message when `act` fails."""
    try:
        act()
    except automation.CommandError as error:
        return str(error)
    raise AssertionError("It did not fail.")
