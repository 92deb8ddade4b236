"""A stack whose state backend is in the subscription: two machines share it, and neither keeps anything to itself.

Pulumi's own Azure client talks to a real Blob service, and to a Key Vault key that a role lets it use.
"""

import os
from pathlib import Path

import pytest

from personalize.engine import identity
from personalize.errors import StackMissingError, StateUnreachableError
from personalize.stack import state_store
from tests.simulation.state_machines import SECRET, Machine, bootstrapped, ignore
from tests.simulation.world import DEFAULTS, World

pytestmark = pytest.mark.engine

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
    with pytest.raises(StateUnreachableError, match=r"^Run .*personalize bootstrap --stack dev` first"):
        machine("one").exists()


def test_a_caller_without_a_role_on_the_state_backend_is_told(
    simulated: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "ROLE_SECONDS", -1.0)
    bootstrapped(simulated)
    simulated.set("caller", "99999999-9999-4999-8999-999999999999")
    with pytest.raises(StateUnreachableError, match=r"gives `azure\.deployers` access"):
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
