"""Edits of the state: operations that a killed update left pending, and changes that a refresh adds by mistake."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from pulumi.automation import CommandError, CommandResult, Deployment

from infra.azure_settings import AzureSettings
from personalize.errors import StackBusyError
from personalize.stack import interrupted as state_edits
from personalize.stack import operations
from personalize.stack.guards import CLUSTER
from personalize.stack.interrupted import forget_shown_pools, settle
from tests.support.azure_stack import SUBSCRIPTION, azure_stack

AZURE = azure_stack()
VAULT = {
    "urn": "urn:pulumi:dev::personalization::azure-native:keyvault:Vault::vault",
    "type": "azure-native:keyvault:Vault",
    "custom": True,
    "inputs": {"resourceGroupName": "rg", "vaultName": "kv"},
}
STEP = {
    "urn": "urn:pulumi:dev::personalization::personalize:azure:Registry::registry",
    "type": "personalize:azure:Registry",
}


@dataclass
class FakeStack:
    """A stack that keeps its state in a dictionary."""

    deployment: dict[str, Any]
    refreshed: list[list[str]] = field(default_factory=list)

    def export_stack(self) -> Deployment:
        return Deployment(version=3, deployment=self.deployment)

    def import_stack(self, state: Deployment) -> None:
        self.deployment = dict(state.deployment or {})


def begun(*resources: dict[str, Any], kind: str = "creating") -> list[dict[str, Any]]:
    """Pending operations of these resources."""
    return [{"type": kind, "resource": resource} for resource in resources]


def settled(
    operations: list[dict[str, Any]], azure: AzureSettings | None, *known: dict[str, Any], destroys: bool = False
) -> FakeStack:
    stack = FakeStack({"resources": list(known), "pending_operations": operations})
    settle(stack, operations, azure, stack.refreshed.append, destroys=destroys)  # type: ignore[arg-type]
    return stack


def test_what_azure_may_have_made_goes_into_the_state_with_its_id_and_is_looked_at() -> None:
    stack = settled(begun(VAULT, STEP), AZURE)
    (adopted,) = stack.deployment["resources"]
    assert adopted["id"] == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"
    assert stack.refreshed == [["--target", VAULT["urn"]]]
    assert stack.deployment["pending_operations"] == []


@pytest.mark.parametrize(
    ("operations", "known"),
    [(begun(STEP), ()), (begun(VAULT, kind="updating"), (VAULT,)), (begun(VAULT), (VAULT,))],
    ids=["a step", "a change", "what the state knows"],
)
def test_all_else_is_forgotten(operations: list[dict[str, Any]], known: tuple[dict[str, Any], ...]) -> None:
    stack = settled(operations, AZURE, *known)
    assert stack.deployment == {"resources": list(known), "pending_operations": []}
    assert stack.refreshed == []


@pytest.mark.parametrize("azure", [AZURE, None])
@pytest.mark.parametrize("destroys", [True, False])
def test_what_was_being_deleted_is_read_by_the_next_update_and_deleted_again_by_a_deletion(
    azure: AzureSettings | None, *, destroys: bool
) -> None:
    stack = settled(begun(STEP, kind="deleting"), azure, STEP, VAULT, destroys=destroys)
    mark = {} if destroys else {"refreshBeforeUpdate": True}
    assert stack.deployment == {"resources": [STEP | mark, VAULT], "pending_operations": []}
    assert stack.refreshed == []


def test_a_stack_on_this_machine_adopts_nothing() -> None:
    assert settled(begun(VAULT), None).deployment["resources"] == []


def test_what_databricks_numbers_is_looked_up_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_edits, "numbered_identity", lambda *_: "1001")
    job = {"urn": "urn:job", "type": "databricks:index/job:Job", "inputs": {"name": "training"}}
    (adopted,) = settled(begun(job), AZURE).deployment["resources"]
    assert adopted["id"] == "1001"


def test_pools_that_azure_shows_in_the_cluster_are_no_wish_of_the_cluster_s() -> None:
    pools = [{"name": "system"}, {"name": "sabc"}]
    cluster = {"type": CLUSTER, "inputs": {"agentPoolProfiles": pools}, "outputs": {"agentPoolProfiles": pools}}
    stack = FakeStack({"resources": [cluster, VAULT]})
    forget_shown_pools(stack)  # type: ignore[arg-type]  # see above
    after, other = stack.deployment["resources"]
    assert after["inputs"]["agentPoolProfiles"] == [{"name": "system"}]
    assert after["outputs"] == cluster["outputs"]
    assert other == VAULT


def test_a_lock_that_a_killed_engine_left_in_the_subscription_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "could not import deployment: the stack is currently locked by 1 lock(s).\n created by ada@host (pid 7) at"

    def locked(*_: object, **__: object) -> str:
        raise CommandError(CommandResult("", said, 1))

    monkeypatch.setattr(operations, "settle", locked)
    monkeypatch.setattr(operations.Operations, "_stack", lambda _: None)
    engine = operations.Operations("dev", None, dict, print, lambda _: ())  # type: ignore[arg-type]
    with pytest.raises(StackBusyError, match=r"process 7 of ada@host.*`pulumi cancel --yes` do"):
        engine.settle([VAULT], AZURE, lambda _: "", destroys=False)
