"""What the simulated Resource Manager refuses because of what exists, runs or was deleted."""

from dataclasses import replace
from typing import Any

import pytest

from tests.simulation import world
from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.names import (
    CLUSTER,
    INSIGHTS,
    role,
)
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager import arm as resource_manager
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services import authorization
from tests.simulation.services.authorization import ROLE_DEFINITION
from tests.simulation.world import Record
from tests.support.clock import Clock

NATIVE = "azure-native:"
KEY_VAULT = f"{NATIVE}keyvault:Vault"
AKS = f"{NATIVE}containerservice:ManagedCluster"
POOL = f"{NATIVE}containerservice:AgentPool"
WINDOW = f"{NATIVE}containerservice:MaintenanceConfiguration"
ML = f"{NATIVE}machinelearningservices:Workspace"
ROLE = f"{NATIVE}authorization:RoleAssignment"
IDENTITY = f"{NATIVE}managedidentity:UserAssignedIdentity"
FEDERATED = f"{NATIVE}managedidentity:FederatedIdentityCredential"
RULE = f"{NATIVE}monitor:DataCollectionRule"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Azure's clock."""
    made = Clock(now=1_800_000_000.0)
    for module in (resource_manager, world, authorization):
        monkeypatch.setattr(module, "time", made)
    return made


def refused(call: object, *arguments: object) -> str:
    """The code with which a call is refused."""
    with pytest.raises(RefusedError) as error:
        call(*arguments)  # type: ignore[operator]
    return error.value.code


@pytest.mark.usefixtures("clock")
def test_two_pools_of_one_cluster_are_not_written_at_once(arm: AzureNative) -> None:
    create_all(arm, until=POOL)
    arm.world.set("pace", 0.01)
    arm.create(POOL, example(POOL))
    assert refused(arm.create, POOL, example(POOL) | {"agentPoolName": "other"}) == "OperationNotAllowed"
    assert refused(arm.update, AKS, CLUSTER, example(AKS) | {"tags": {"a": "b"}}) == "OperationNotAllowed"


def test_federated_credentials_of_one_identity_are_written_one_at_a_time(arm: AzureNative, clock: Clock) -> None:
    create_all(arm, until=FEDERATED)
    arm.world.set("pace", 0.1)
    arm.create(FEDERATED, example(FEDERATED))
    second = example(FEDERATED) | {"federatedIdentityCredentialResourceName": "deployment", "subject": "other"}
    assert refused(arm.create, FEDERATED, second) == "OperationNotAllowed"
    arm.world.set("pace", 0.0)
    clock.now += 60.0
    assert refused(arm.create, FEDERATED, second | {"subject": example(FEDERATED)["subject"]}) == "Conflict"
    arm.create(FEDERATED, second)


def test_a_resource_that_is_being_deleted_still_holds_its_name(arm: AzureNative, clock: Clock) -> None:
    create_all(arm)
    arm.world.set("pace", 0.001)
    gone = arm.delete(AKS, CLUSTER)
    assert refused(arm.create, AKS, example(AKS)) == "ResourceAlreadyExists"
    clock.now = gone + 0.01
    arm.create(AKS, example(AKS))


@pytest.mark.parametrize(("kind", "code"), [(KEY_VAULT, "ConflictError"), (ML, "Conflict")])
def test_the_name_of_a_soft_deleted_resource_is_free_after_its_purge(arm: AzureNative, kind: str, code: str) -> None:
    create_all(arm)
    identity = arm.world.all(kind)[0].id
    arm.delete(kind, identity)
    assert refused(arm.create, kind, example(kind)) == code
    arm.world.purge(identity)
    arm.create(kind, example(kind))


def test_a_deleted_vault_is_recovered_with_its_secrets_and_without_roles_on_it(arm: AzureNative) -> None:
    create_all(arm)
    vault = arm.world.all(KEY_VAULT)[0].id
    arm.create(ROLE, example(ROLE) | {"scope": vault, "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0061"})
    inside = {record.id for record in arm.world.under(vault)}
    recovery = changed(example(KEY_VAULT), "properties.createMode", "recover")
    assert refused(arm.create, KEY_VAULT, recovery | {"vaultName": "never-there"}) == "SoftDeletedVaultDoesNotExist"
    arm.delete(KEY_VAULT, vault)
    arm.create(KEY_VAULT, recovery)
    found = {record.id for record in arm.world.under(vault)}
    assert found < inside
    assert {name for name in inside - found if "/roleAssignments/" not in name} == set()


def test_a_new_principal_without_its_type_is_not_found_at_first(arm: AzureNative) -> None:
    create_all(arm)
    arm.world.set("pace", 1.0)
    object_id = arm.world.all(IDENTITY)[0].outputs["principalId"]
    wanted = example(ROLE) | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0002", "principalId": object_id}
    assert refused(arm.create, ROLE, wanted) == "PrincipalNotFound"
    arm.create(ROLE, wanted | {"principalType": "ServicePrincipal"})


def test_a_role_of_one_s_own_is_not_found_at_first(arm: AzureNative, clock: Clock) -> None:
    create_all(arm)
    own = role("0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0009")
    arm.world.put(Record(own, ROLE_DEFINITION, {}, {}, clock.now, 0.0))
    arm.world.set("pace", 1.0)
    wanted = example(ROLE) | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0002", "roleDefinitionId": own}
    assert refused(arm.create, ROLE, wanted) == "RoleDefinitionDoesNotExist"
    clock.now += 61.0
    arm.create(ROLE, wanted)


def test_the_same_assignment_under_another_name_exists_already(arm: AzureNative) -> None:
    create_all(arm)
    other = example(ROLE) | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0003"}
    assert refused(arm.create, ROLE, other) == "RoleAssignmentExists"


def test_an_assignment_can_not_get_another_role(arm: AzureNative) -> None:
    create_all(arm)
    assignment = arm.world.all(ROLE)[0]
    other = example(ROLE) | {"roleDefinitionId": role("acdd72a7-3385-48ef-bd42-f606fba81ae7")}
    assert refused(arm.update, ROLE, assignment.id, other) == "RoleAssignmentUpdateNotPermitted"
    assert arm.diff(ROLE, example(ROLE), other).replaces == {"roleDefinitionId"}


def test_a_stopped_cluster_is_only_deleted_with_all_its_parts(arm: AzureNative) -> None:
    create_all(arm)
    (cluster,) = arm.world.all(AKS)
    stopped = replace(cluster, outputs=cluster.outputs | {"powerState": {"code": "Stopped"}})
    arm.world.put(stopped)
    parts = [(one.type, one.id) for kind in (POOL, WINDOW) for one in arm.world.all(kind)]
    assert len(parts) >= 2
    for kind, identity in [(AKS, CLUSTER), *parts]:
        assert refused(arm.update, kind, identity, example(kind)) == "OperationNotAllowed"
    for kind, identity in parts:
        assert refused(arm.delete, kind, identity) == "OperationNotAllowed"
    another = example(POOL) | {"agentPoolName": "more"}
    assert refused(arm.create, POOL, another) == "OperationNotAllowed"
    arm.delete(AKS, CLUSTER)
    assert not any(arm.world.get(identity) for _, identity in parts)


def test_a_size_is_not_changed_in_place(arm: AzureNative) -> None:
    create_all(arm)
    bigger = example(POOL) | {"vmSize": "Standard_D4ds_v5"}
    assert refused(arm.update, POOL, f"{CLUSTER}/agentPools/scoring", bigger) == "PropertyChangeNotAllowed"
    assert arm.diff(POOL, example(POOL), bigger).replaces == {"vmSize"}
    profile = example(AKS)["agentPoolProfiles"][0] | {"vmSize": "Standard_D8ds_v5"}
    assert (
        refused(arm.update, AKS, CLUSTER, example(AKS) | {"agentPoolProfiles": [profile]}) == "PropertyChangeNotAllowed"
    )


@pytest.mark.parametrize("change", [{"osDiskType": "Managed"}, {"availabilityZones": ["1"]}, {"maxPods": 50}], ids=str)
def test_a_cluster_s_first_pool_keeps_what_is_fixed(arm: AzureNative, change: dict[str, Any]) -> None:
    create_all(arm)
    pool = example(AKS)["agentPoolProfiles"][0]
    changed = example(AKS) | {"agentPoolProfiles": [pool | change]}
    assert refused(arm.update, AKS, CLUSTER, changed) == "PropertyChangeNotAllowed"
    arm.update(AKS, CLUSTER, example(AKS) | {"agentPoolProfiles": [pool | {"count": 2}]})


def test_a_system_pool_has_room_for_thirty_pods_on_all_its_nodes(arm: AzureNative) -> None:
    create_all(arm, until=AKS)
    pool = example(AKS)["agentPoolProfiles"][0] | {"maxPods": 20}
    assert refused(arm.create, AKS, example(AKS) | {"agentPoolProfiles": [pool]}) == "InvalidParameter"
    arm.create(AKS, example(AKS) | {"agentPoolProfiles": [pool | {"count": 2}]})


def test_a_rule_with_associations_is_not_deleted(arm: AzureNative) -> None:
    create_all(arm)
    rule = f"{INSIGHTS}/dataCollectionRules/containers"
    assert refused(arm.delete, RULE, rule) == "DataCollectionRuleHasAssociations"
    arm.delete(
        f"{NATIVE}monitor:DataCollectionRuleAssociation",
        f"{CLUSTER}/providers/Microsoft.Insights/dataCollectionRuleAssociations/ContainerInsightsExtension",
    )
    arm.delete(RULE, rule)


def test_quota_counts_what_is_in_use(arm: AzureNative) -> None:
    create_all(arm, until=POOL)
    arm.world.set("vcpu_quota", {"standardDDSv5Family": 7})
    assert refused(arm.create, POOL, example(POOL)) == "ErrCode_InsufficientVCPUQuota"
    arm.world.set("vcpu_quota", {"standardDDSv5Family": 8})
    arm.create(POOL, example(POOL))
