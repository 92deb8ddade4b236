"""The real engine over a throw-away stack of the steps that need no Spark, on bundles that a test brings."""

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
    """One stack in a folder; `model` and `scoring` are what a test changes between two updates."""

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
        """What the steps keep."""
        return self.state / self.name

    def up(self, *, refresh: bool = False) -> dict[str, int]:
        """Resources by what was done to them."""
        outcome = self.select().up(on_output=self.output.append, refresh=refresh)
        return _counts(outcome.summary.resource_changes)

    def preview(self) -> dict[str, int]:
        """Resources by what would be done to them."""
        outcome = self.select().preview(on_output=self.output.append)
        return {str(kind): count for kind, count in outcome.change_summary.items()}

    def destroy(self) -> dict[str, int]:
        """Resources by what was done to them."""
        return _counts(self.select().destroy(on_output=self.output.append).summary.resource_changes)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets opened."""
        return {name: output.value for name, output in self.select().outputs().items()}

    def declare(self) -> None:
        """The program."""
        backend = LocalBackend(STACK)
        registry = Registry("registry", backend)
        settings = Settings(scoring=ScoringSettings(**self.scoring), model_version=self.requested)
        bundle = pulumi.Output.from_input(self.model)
        bundle_hash = pulumi.Output.from_input(checked_hash(self.folder / self.model))
        for name, value in serve(settings, backend, registry, bundle=bundle, bundle_hash=bundle_hash).items():
            pulumi.export(name, value)

    def select(self) -> automation.Stack:
        """The stack, as Pulumi's Automation API has it."""
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
    """What the engine says when `act` fails."""
    try:
        act()
    except automation.CommandError as error:
        return str(error)
    raise AssertionError("It did not fail.")
