"""The real Pulumi engine on the simulated cloud, through both plugins."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation

from tests.simulation.engine import Engine, kill_engines
from tests.simulation.fakes.internet import PLUGINS
from tests.simulation.faults import FaultKind, Faults
from tests.simulation.plugin_environment import WORLD_VARIABLE
from tests.simulation.services import databricks as workspaces
from tests.simulation.world import World
from tools.toolchain import PulumiMissingError, pulumi_command

pytestmark = pytest.mark.engine

HERE = "westeurope"
KEY_NAME = "scoring-key"
KEY = "simulated-secret-value"


@pytest.fixture
def settings() -> dict[str, Any]:
    """What a test changes between two deployments."""
    return {"nodes": 2, "tags": {"project": "personalization"}, "lake_import": None}


@pytest.fixture
def program(settings: dict[str, Any]) -> Callable[[], None]:
    """A small stack with one dependency of each kind."""

    def declare() -> None:
        from pulumi_azure_native import resources

        group = resources.ResourceGroup("group", resource_group_name="rg-test", location=HERE, tags=settings["tags"])
        place: dict[str, Any] = {"resource_group_name": group.name, "location": HERE}
        _lake(place, settings["lake_import"])
        _vault(group.name, place)
        _training(place, settings["nodes"])

    return declare


def _lake(place: dict[str, Any], imported: str | None) -> None:
    """A lake, and an identity with a role on it."""
    from pulumi_azure_native import authorization, managedidentity, storage

    subscription = authorization.get_client_config().subscription_id
    lake = storage.StorageAccount(
        "lake",
        account_name="lakeabc",
        kind=storage.Kind.STORAGE_V2,
        sku=storage.SkuArgs(name=storage.SkuName.STANDARD_LRS),
        is_hns_enabled=True,
        opts=pulumi.ResourceOptions(import_=imported),
        **place,
    )
    identity = managedidentity.UserAssignedIdentity("identity", resource_name_="id-test", **place)
    authorization.RoleAssignment(
        "role",
        scope=lake.id,
        principal_id=identity.principal_id,
        principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
        role_assignment_name="0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0001",
        role_definition_id=f"/subscriptions/{subscription}/providers/Microsoft.Authorization"
        "/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    )
    pulumi.export("blob", lake.primary_endpoints.apply(lambda ends: ends.blob))


def _vault(group: pulumi.Output[str], place: dict[str, Any]) -> None:
    """A vault with a secret in it."""
    from pulumi_azure_native import authorization, keyvault

    vault = keyvault.Vault(
        "vault",
        vault_name="vault-abc",
        properties=keyvault.VaultPropertiesArgs(
            tenant_id=authorization.get_client_config().tenant_id,
            sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
            soft_delete_retention_in_days=7,
        ),
        **place,
    )
    keyvault.Secret(
        "key",
        vault_name=vault.name,
        resource_group_name=group,
        secret_name=KEY_NAME,
        properties=keyvault.SecretPropertiesArgs(value=pulumi.Output.secret(KEY)),
    )


def _training(place: dict[str, Any], nodes: int) -> None:
    """A Databricks workspace, and a policy by a provider that its address configures."""
    from pulumi_azure_native import authorization, databricks
    from pulumi_databricks import ClusterPolicy, Provider

    subscription = authorization.get_client_config().subscription_id
    workspace = databricks.Workspace(
        "workspace",
        workspace_name="training",
        sku=databricks.SkuArgs(name="premium"),
        compute_mode=databricks.ComputeMode.HYBRID,
        managed_resource_group_id=f"/subscriptions/{subscription}/resourceGroups/training-managed",
        **place,
    )
    provider = Provider("databricks", host=workspace.workspace_url.apply(lambda host: f"https://{host}"))
    ClusterPolicy(
        "policy",
        name="training",
        definition=json.dumps({"num_workers": {"type": "range", "maxValue": nodes}}),
        opts=pulumi.ResourceOptions(provider=provider),
    )


@pytest.fixture
def engine(
    world: World, tmp_path: Path, program: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """The stack; whoever signs in to a new workspace is a member of it at once."""
    try:
        pulumi_command()
    except PulumiMissingError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("PATH", str(PLUGINS), prepend=":")
    joining = _Joining(world)
    joining.start()
    made = Engine(tmp_path, {WORLD_VARIABLE: str(world.folder)}, program)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    joining.stop()


class _Joining(threading.Thread):
    """Plays the step that waits for the workspace: it signs the caller in."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self._folder = world.folder
        self._over = threading.Event()

    def run(self) -> None:
        world = World(self._folder)
        while not self._over.wait(0.05):
            members = {
                record.outputs["workspaceId"]: [world.setting("caller")]
                for record in world.all(workspaces.TYPE)
                if record.outputs
            }
            if members != world.setting("members"):
                world.set("members", members)
        world.close()

    def stop(self) -> None:
        self._over.set()
        self.join()


def stored(engine: Engine) -> str:
    """The stack's state as it lies on the disk."""
    return "".join(path.read_text(encoding="utf-8") for path in engine.folder.rglob("*.json"))


def test_a_stack_goes_up_once_and_leaves_nothing(engine: Engine, world: World) -> None:
    assert engine.up() == {"create": 10}
    assert engine.stack.outputs()["blob"].value == "https://lakeabc.blob.core.windows.net/"
    assert KEY not in stored(engine)
    assert engine.up() == {"same": 10}
    assert engine.refresh() == {"same": 10}
    world.set("caller", world.setting("deployers")[1]["object_id"])
    assert engine.up(refresh=True) == {"same": 10}
    assert engine.destroy() == {"delete": 10}
    assert (world.all(), world.setting("swept")) == ([], [])


def test_a_change_touches_only_its_resource(engine: Engine, settings: dict[str, Any]) -> None:
    engine.up()
    settings["nodes"] = 3
    assert engine.up() == {"same": 9, "update": 1}
    settings["tags"] = {"project": "other"}
    assert engine.up() == {"same": 9, "update": 1}


def test_a_call_that_fails_is_named_and_the_next_run_goes_on(engine: Engine, world: World) -> None:
    Faults(world).order(r"^create .*keyvault:Vault ")
    with pytest.raises(automation.CommandError, match="InjectedFault"):
        engine.up()
    assert set(engine.up()) == {"create", "same"}
    assert engine.up() == {"same": 10}


def test_a_resource_whose_answer_was_lost_is_imported_by_its_id(
    engine: Engine, world: World, settings: dict[str, Any]
) -> None:
    Faults(world).order(r"^create .*StorageAccount", kind=FaultKind.LOST)
    with pytest.raises(automation.CommandError, match="InjectedFault"):
        engine.up()
    with pytest.raises(automation.CommandError, match="already existing resource"):
        engine.up()
    settings["lake_import"] = next(record.id for record in world.all() if record.id.endswith("/lakeabc"))
    assert engine.up()["import"] == 1
    settings["lake_import"] = None
    assert engine.up() == {"same": 10}


def test_drift_shows_at_a_refresh(engine: Engine, world: World) -> None:
    engine.up()
    lake = next(record for record in world.all() if record.id.endswith("/lakeabc"))
    world.remove(f"{lake.id}/providers/Microsoft.Authorization/roleAssignments/0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0001")
    assert engine.refresh() == {"same": 9, "delete": 1}
    assert engine.up() == {"same": 9, "create": 1}


def test_an_engine_that_is_killed_leaves_what_azure_went_on_to_make(engine: Engine, world: World) -> None:
    Faults(world).order(r"^create .*keyvault:Vault ", kind=FaultKind.SLOW, seconds=30.0)
    errors: list[Exception] = []

    def run() -> None:
        try:
            engine.up()
        except automation.CommandError as error:
            errors.append(error)

    deployment = threading.Thread(target=run)
    deployment.start()
    until = time.monotonic() + 60.0
    while not any(record.id.endswith("/vault-abc") for record in world.all()) and time.monotonic() < until:
        time.sleep(0.1)
    assert kill_engines(engine.environment)
    deployment.join(60.0)
    assert errors
    engine.cancel()
    with pytest.raises(automation.CommandError, match="already existing resource"):
        engine.up()
