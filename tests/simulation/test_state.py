"""A stack whose state backend is in the subscription: two machines share it, and neither keeps anything to itself.

Pulumi's own Azure client talks to a real Blob service, and to a Key Vault key that a role lets it use.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import BadInputError
from infra.cloud.names import names_of
from infra.setting_types import StatePlace
from personalize.engine import identity
from personalize.errors import StackMissingError, StateUnreachableError
from personalize.stack import state_store
from personalize.stack.state_move import KEPT, StateElsewhereError, StateMoveError
from tests.simulation.examples.azure import example
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.state_machines import SECRET, SETTINGS_MODEL, Machine, bootstrapped, ignore
from tests.simulation.world import DEFAULTS, World

pytestmark = pytest.mark.engine

ROLE = "azure-native:authorization:RoleAssignment"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
CLIENT = "77777777-7777-4777-8777-777777777777"


@pytest.mark.full
def test_two_machines_share_a_stack_that_leaves_no_secret_on_them_until_one_destroys_it(
    simulated: World, machine: Machine, tmp_path: Path
) -> None:
    bootstrapped(simulated)
    first = machine("one")
    assert not first.exists()
    first.up(ignore)
    second = machine("two")
    assert second.exists()
    outputs, secret = second.outputs()
    assert (outputs["key"], outputs["version"], secret) == (SECRET, 3, frozenset({"key"}))
    assert {kind: count for kind, count in second.up(ignore).changes.items() if kind != "same"} == {}
    assert machine("one").outputs()[0]["key"] == SECRET
    for name in ("one", "two"):
        kept = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        assert kept
        assert not any(path.name == "passphrase" for path in kept)
        assert not any(SECRET.encode() in path.read_bytes() for path in kept)
    stored = [path for path in (simulated.folder / "azurite").rglob("*") if path.is_file()]
    assert stored
    assert not any(SECRET.encode() in path.read_bytes() for path in stored)
    machine("two").destroy(ignore)
    assert not machine("one").exists()
    with pytest.raises(StackMissingError):
        machine("one").outputs()


def test_without_a_state_backend_the_error_names_bootstrap(simulated: World, machine: Machine) -> None:
    del simulated
    with pytest.raises(StateUnreachableError, match="personalize bootstrap --stack dev"):
        machine("one").exists()


@pytest.mark.full
def test_roles_that_bootstrap_just_gave_are_waited_for(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the one on the state, then the one on the key for its secrets, which becomes effective later."""
    monkeypatch.setattr(state_store, "ROLE_PAUSE_SECONDS", 0.0)
    bootstrapped(simulated)
    simulated.set("propagation_seconds", 3600.0)
    simulated.set("pace", 1.0)
    said: list[str] = []

    def wait(line: str) -> None:
        said.append(line)
        late = [role for role in simulated.all(ROLE) if role.created]
        simulated.put(replace(min(late, key=lambda role: "/vaults/" in role.inputs["scope"]), created=0.0))

    session = machine("one")
    monkeypatch.setattr(session, "_say", wait)
    session.prepare()
    assert len(said) >= 2
    assert all("state backend: the role on it is not effective yet" in line for line in said)


def test_a_caller_without_a_role_on_the_state_backend_is_told(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "ROLE_SECONDS", -1.0)
    bootstrapped(simulated)
    simulated.set("caller", "99999999-9999-4999-8999-999999999999")
    with pytest.raises(StateUnreachableError, match=r"creates it and gives `azure\.deployers` access"):
        machine("one").exists()


@pytest.mark.full
def test_a_workflow_uses_the_state_backend_with_its_federated_identity(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrapped(simulated)
    machine("one").up(ignore)
    simulated.set("clients", {CLIENT: DEFAULTS["deployers"][1]["object_id"]})
    simulated.set("caller", "nobody")  # what the Azure CLI would say
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.actions.githubusercontent.com")
    monkeypatch.setenv("ARM_CLIENT_ID", CLIENT)
    monkeypatch.setattr(identity, "client_assertion", lambda: "a.statement.of-github")
    runner = machine("runner")
    assert runner.outputs()[0]["key"] == SECRET
    file = Path(os.environ["PERSONALIZE_STATE"]) / "dev" / identity.FILE
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.full
def test_a_state_moves_from_a_machine_with_its_secrets(simulated: World, machine: Machine, tmp_path: Path) -> None:
    bootstrapped(simulated)
    machine("one", "machine").up(ignore)
    passphrase = (tmp_path / "one" / "dev" / "passphrase").read_text()
    first = machine("one")
    with pytest.raises(StateElsewhereError, match="personalize move-state --stack dev` moves it there"):
        first.up(ignore)
    assert first.move_state(SETTINGS_MODEL) == 1
    assert {kind: count for kind, count in first.up(ignore).changes.items() if kind != "same"} == {}
    assert machine("two").outputs()[0]["key"] == SECRET
    stored = [path for path in (simulated.folder / "azurite").rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in stored)
    kept = tmp_path / "one" / "dev"
    assert list((kept / KEPT).rglob("dev.json"))
    assert (kept / "passphrase").read_text() == passphrase


@pytest.mark.full
def test_an_interrupted_move_goes_on(simulated: World, machine: Machine) -> None:
    bootstrapped(simulated)
    machine("one", "machine").up(ignore)
    machine("two").prepare()  # an empty stack, as a move leaves it that was killed before it copied
    assert machine("one").move_state(SETTINGS_MODEL) == 1
    assert machine("two").outputs()[0]["key"] == SECRET


@pytest.mark.full
def test_a_move_never_replaces_a_state_and_says_what_it_lacks(simulated: World, machine: Machine) -> None:
    bootstrapped(simulated)
    with pytest.raises(StateMoveError, match="no state of stack dev on this machine"):
        machine("one").move_state(SETTINGS_MODEL)
    with pytest.raises(BadInputError, match="Set `state: subscription`"):
        machine("one").move_state(SETTINGS_MODEL.model_copy(update={"state": StatePlace.MACHINE}))
    machine("one", "machine").up(ignore)
    machine("two").up(ignore)
    with pytest.raises(StateMoveError, match="has a stack dev with resources already"):
        machine("one").move_state(SETTINGS_MODEL)
    assert machine("one", "machine").outputs()[0]["key"] == SECRET


@pytest.mark.parametrize("state", ["subscription", pytest.param("machine", marks=pytest.mark.full)])
def test_a_stack_whose_state_is_elsewhere_is_not_taken_for_a_new_one(
    simulated: World, machine: Machine, state: str
) -> None:
    bootstrapped(simulated)
    names = names_of("dev", SETTINGS_MODEL)
    arm = AzureNative(simulated)
    group = {"resourceGroupName": names.training_group}
    lake = "azure-native:storage:StorageAccount"
    arm.create(lake, example(lake) | group | {"accountName": names.lake})
    with pytest.raises(StateElsewhereError, match=f"storage account {names.lake}"):
        machine("runner", state).preview(ignore)
