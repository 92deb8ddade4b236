"""A stack whose state backend is in the subscription: machines share it, and none keeps anything to itself.

Pulumi's own Azure client talks to a real Blob service, and to a Key Vault key that a role lets it use.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pytest
import yaml

from azure_clients import credentials
from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from personalize.bootstrap.subscription import Bootstrap
from personalize.errors import StackMissingError
from personalize.stack import state_store
from personalize.stack.session import StackSession
from tests.simulation.fakes.blob import azurite_command
from tests.simulation.fakes.runs import Runs
from tests.simulation.published import ROLES
from tests.simulation.services.authorization import IDENTITY
from tests.simulation.simulation import Simulation
from tests.simulation.world import DEFAULTS, World
from tests.support.azure_stack import REQUIRED
from tools.toolchain import PulumiMissingError, pulumi_command
from training.datasets.manifest import Manifest

pytestmark = pytest.mark.engine

CLIENT = "77777777-7777-4777-8777-777777777777"
SETTINGS = {**REQUIRED, "deployers": list(DEFAULTS["deployers"])}
SECRET = "simulated-secret-value"  # noqa: S105 - what the test looks for
Machine = Callable[..., StackSession]
"""Opens a session of the stack on the machine with this name."""
SETTINGS_MODEL = AzureSettings.model_validate(SETTINGS)


def bootstrapped(world: World, settings: AzureSettings = SETTINGS_MODEL) -> None:
    """Run `personalize bootstrap` as the subscription's owner."""
    world.set("deployer_roles", [ROLES["Owner"]])
    manager = credentials.resource_manager(settings.tenant)
    Bootstrap(stack="dev", settings=settings, manager=manager).run(dry_run=False)


@pytest.fixture
def simulated(world: World) -> Iterator[World]:
    """The services, to which this process is led."""
    if azurite_command() is None:
        pytest.skip("Azurite is not installed: python -m tools.npm azurite")
    try:
        pulumi_command()
    except PulumiMissingError as error:
        pytest.skip(str(error))
    world.set("propagation_seconds", 0.0)
    with Simulation(world, Runs(lambda _: "never")).running() as simulation, simulation.entered():
        yield world


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
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


def program(*, reads_data: bool, listed: Manifest | None) -> None:
    """A stack without resources that has a secret."""
    assert (reads_data, listed) == (True, None)
    pulumi.export("key", pulumi.Output.secret(SECRET))
    pulumi.export("version", 3)


def ignore(_: object) -> None:
    """Ignore progress."""


@pytest.mark.full
def test_a_stack_leaves_no_secret_on_the_machine_or_in_the_backend_and_a_workflow_finds_it(
    simulated: World, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrapped(simulated)
    first = machine("one")
    assert not first.exists()
    first.up(ignore)
    outputs, secret = first.outputs()
    assert (outputs["key"], outputs["version"], secret) == (SECRET, 3, frozenset({"key"}))
    for place in (tmp_path / "one", simulated.folder / "azurite"):
        kept = [path for path in place.rglob("*") if path.is_file()]
        assert kept
        assert not any(path.name == "passphrase" for path in kept)
        assert not any(SECRET.encode() in path.read_bytes() for path in kept)
    simulated.set("clients", {CLIENT: DEFAULTS["deployers"][1]["object_id"]})
    simulated.set("caller", "nobody")  # what the Azure CLI would say
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com")
    monkeypatch.setenv("ARM_CLIENT_ID", CLIENT)
    monkeypatch.setattr(state_store, "client_assertion", lambda: "a.statement.of-github")
    assert machine("runner").outputs()[0]["key"] == SECRET
    file = tmp_path / "runner" / "dev" / state_store.FILE
    assert file.stat().st_mode & 0o077 == 0
    machine("runner").destroy(ignore)
    with pytest.raises(StackMissingError):
        machine("one").outputs()


@pytest.mark.parametrize("exists", [False, True])
def test_whoever_cannot_use_the_state_backend_is_told_what_to_do(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch, *, exists: bool
) -> None:
    if exists:
        monkeypatch.setattr(state_store, "ROLE_SECONDS", -1.0)
        bootstrapped(simulated)
        simulated.set("caller", "99999999-9999-4999-8999-999999999999")
    said = r"^Run .*personalize bootstrap --stack dev` first.* gives `azure\.deployers` access"
    with pytest.raises(PersonalizationError, match=said):
        machine("one").exists()


def test_a_preview_without_a_stack_is_a_plan_by_an_identity_that_may_only_read(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the first deployment, and after `destroy`: the check is required, and nothing may wait for a role."""
    monkeypatch.setattr(state_store, "ROLE_SECONDS", -1.0)
    bootstrapped(simulated, SETTINGS_MODEL.model_copy(update={"github_repository": "octo/clicks"}))
    (previewing,) = [one for one in simulated.all(IDENTITY) if one.id.endswith("-preview")]
    deployer = simulated.setting("caller")

    def blobs() -> set[Path]:
        return {path for path in (simulated.folder / "azurite" / "__blobstorage__").rglob("*") if path.is_file()}

    for name in ("before", "after"):
        simulated.set("caller", previewing.outputs["principalId"])
        stored = blobs()
        assert machine(name).preview(ignore).changes == {"create": 1}, "the stack itself"
        assert blobs() == stored
        assert not (tmp_path / name / "dev").exists()
        simulated.set("caller", deployer)
        if name == "before":
            machine("one").up(ignore)
            machine("one").destroy(ignore)
