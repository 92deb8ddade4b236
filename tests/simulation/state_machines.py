"""Machines that share a stack whose state backend is in the simulated subscription."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pytest
import yaml

from azure_clients import credentials
from infra.azure_settings import AzureSettings
from personalize.bootstrap.subscription import Bootstrap
from personalize.stack.session import StackSession
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.runs import Runs
from tests.simulation.world import DEFAULTS, World
from tools import azurite
from tools.toolchain import PulumiMissingError, pulumi_command
from training.datasets.manifest import Manifest

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
SETTINGS = {
    "subscription": DEFAULTS["subscription"],
    "tenant": DEFAULTS["tenant"],
    "deployers": list(DEFAULTS["deployers"]),
    "alert_mail": "operators@example.com",
    "authorized_ip_ranges": "anywhere",
    "allowed_sources": "anywhere",
}
SECRET = "simulated-secret-value"  # noqa: S105 - what the test looks for
Machine = Callable[..., StackSession]
"""Opens a session of the stack on the machine with this name."""
SETTINGS_MODEL = AzureSettings.model_validate(SETTINGS)


def bootstrapped(world: World, settings: AzureSettings = SETTINGS_MODEL) -> None:
    """Run `personalize bootstrap` as the subscription's owner."""
    world.set("deployer_roles", [OWNER])
    manager = credentials.resource_manager(settings.tenant)
    Bootstrap(stack="dev", settings=settings, manager=manager).run(dry_run=False)


@pytest.fixture
def simulated(world: World) -> Iterator[World]:
    """The services, to which this process is led."""
    if azurite.command() is None:
        pytest.skip("Azurite is not installed: python -m tools.azurite")
    try:
        pulumi_command()
    except PulumiMissingError as error:
        pytest.skip(str(error))
    world.set("propagation_seconds", 0.0)
    internet = Internet(world, Runs(lambda _: "never"))
    internet.start()
    with internet.entered():
        yield world
    internet.stop()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[..., None]) -> Machine:
    """Opens a session of the stack on the machine with this name."""
    monkeypatch.setattr("personalize.stack.operations.program", program)

    def session(name: str) -> StackSession:
        monkeypatch.setenv("PERSONALIZE_STATE", str(tmp_path / name))
        file = tmp_path / name / "Pulumi.dev.yaml"
        file.parent.mkdir(exist_ok=True)
        config = {"personalization:target": "azure", "personalization:azure": SETTINGS}
        file.write_text(yaml.safe_dump({"config": config}))
        return StackSession("dev", settings_file=file)

    return session


@pytest.fixture
def program() -> Callable[..., None]:
    """A stack without resources that has a secret."""

    def declare(*, reads_data: bool, listed: Manifest | None) -> None:
        assert reads_data
        assert listed is None
        pulumi.export("key", pulumi.Output.secret(SECRET))
        pulumi.export("version", 3)

    return declare


def ignore(_: object) -> None:
    """Ignore progress."""
