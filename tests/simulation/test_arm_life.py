"""What the simulated Resource Manager keeps over time: running operations, names of the deleted, faults, the record."""

import time

import pytest

from tests.simulation.azure_native import AzureNative
from tests.simulation.examples import EXAMPLES, create_all, example
from tests.simulation.faults import FaultKind
from tests.simulation.inputs.names import (
    BLOB_CONTRIBUTOR,
    CLUSTER,
    DEPLOYER,
    GROUP,
    INSIGHTS,
    LAKE,
    SUBSCRIPTION,
    VAULT,
    role,
)
from tests.simulation.refusal import RefusedError
from tests.simulation.services.authorization import effective_roles
from tests.simulation.services.principals import principals
from tests.simulation.world import World

NATIVE = "azure-native:"
GROUP_ID = f"{SUBSCRIPTION}/resourceGroups/{GROUP}"
GROUPS = f"{NATIVE}resources:ResourceGroup"
STORAGE = f"{NATIVE}storage:StorageAccount"
KEY_VAULT = f"{NATIVE}keyvault:Vault"
AKS = f"{NATIVE}containerservice:ManagedCluster"
POOL = f"{NATIVE}containerservice:AgentPool"
ML = f"{NATIVE}machinelearningservices:Workspace"
ROLE = f"{NATIVE}authorization:RoleAssignment"
IDENTITY = f"{NATIVE}managedidentity:UserAssignedIdentity"
FEDERATED = f"{NATIVE}managedidentity:FederatedIdentityCredential"
RULE = f"{NATIVE}monitor:DataCollectionRule"


def refused(call: object, *arguments: object) -> str:
    """The code with which a call is refused."""
    with pytest.raises(RefusedError) as error:
        call(*arguments)  # type: ignore[operator]
    return error.value.code


def test_the_record_outlives_the_process_that_wrote_it(arm: AzureNative) -> None:
    create_all(arm)
    other = World(arm.world.folder)
    assert [record.id for record in other.all()] == [record.id for record in arm.world.all()]
    other.close()


def test_a_step_that_fails_leaves_no_trace_in_the_record(world: World, arm: AzureNative) -> None:
    create_all(arm, until=ML)
    before = world.all()
    refused(arm.create, ML, example(ML) | {"storageAccount": LAKE})
    assert world.all() == before


def test_deleting_everything_in_reverse_order_leaves_nothing_to_sweep(arm: AzureNative) -> None:
    create_all(arm)
    for kind, _ in reversed(EXAMPLES):
        for record in reversed(arm.world.all(kind)):
            arm.delete(kind, record.id)
    assert (arm.world.all(), arm.world.setting("swept")) == ([], [])


def test_deleting_a_group_first_takes_what_is_inside_and_notes_it(arm: AzureNative) -> None:
    create_all(arm)
    arm.delete(GROUPS, GROUP_ID)
    assert LAKE in arm.world.setting("swept")
    assert arm.world.get(LAKE) is None


def test_deleting_what_is_gone_is_no_error(arm: AzureNative) -> None:
    assert arm.delete(STORAGE, LAKE) <= time.time()


def test_two_pools_of_one_cluster_are_not_written_at_once(arm: AzureNative) -> None:
    create_all(arm, until=POOL)
    arm.world.set("pace", 0.01)
    arm.create(POOL, example(POOL))
    assert refused(arm.create, POOL, example(POOL) | {"agentPoolName": "other"}) == "OperationNotAllowed"
    assert refused(arm.update, AKS, CLUSTER, example(AKS) | {"tags": {"a": "b"}}) == "OperationNotAllowed"


def test_federated_credentials_of_one_identity_are_written_one_after_the_other(arm: AzureNative) -> None:
    create_all(arm, until=FEDERATED)
    arm.world.set("pace", 0.1)
    arm.create(FEDERATED, example(FEDERATED))
    second = example(FEDERATED) | {"federatedIdentityCredentialResourceName": "deployment", "subject": "other"}
    assert refused(arm.create, FEDERATED, second) == "OperationNotAllowed"
    arm.world.set("pace", 0.0)
    time.sleep(0.4)
    assert refused(arm.create, FEDERATED, second | {"subject": example(FEDERATED)["subject"]}) == "Conflict"
    arm.create(FEDERATED, second)


def test_a_resource_that_is_being_deleted_still_holds_its_name(arm: AzureNative) -> None:
    create_all(arm)
    arm.world.set("pace", 0.001)
    gone = arm.delete(AKS, CLUSTER)
    assert refused(arm.create, AKS, example(AKS)) == "ResourceAlreadyExists"
    time.sleep(max(0.0, gone - time.time()) + 0.01)
    arm.create(AKS, example(AKS))


@pytest.mark.parametrize(("kind", "code"), [(KEY_VAULT, "NameNotAvailable"), (ML, "Conflict")])
def test_the_name_of_a_soft_deleted_resource_is_free_after_its_purge(arm: AzureNative, kind: str, code: str) -> None:
    create_all(arm)
    identity = arm.world.all(kind)[0].id
    arm.delete(kind, identity)
    assert refused(arm.create, kind, example(kind)) == code
    arm.world.purge(identity)
    arm.create(kind, example(kind))


def test_a_vault_that_goes_with_its_group_is_soft_deleted_too(arm: AzureNative) -> None:
    create_all(arm)
    arm.delete(GROUPS, GROUP_ID)
    assert arm.world.buried(KEY_VAULT) == [VAULT.lower()]


def test_a_secret_stays_until_its_vault_goes(arm: AzureNative) -> None:
    create_all(arm)
    secret = f"{VAULT}/secrets/scoring-key"
    arm.delete(f"{NATIVE}keyvault:Secret", secret)
    assert arm.world.get(secret) is not None
    arm.delete(KEY_VAULT, VAULT)
    assert arm.world.get(secret) is None


def test_a_new_principal_without_its_type_is_not_found_at_first(arm: AzureNative) -> None:
    create_all(arm)
    arm.world.set("pace", 1.0)
    object_id = arm.world.all(IDENTITY)[0].outputs["principalId"]
    wanted = example(ROLE) | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0002", "principalId": object_id}
    assert refused(arm.create, ROLE, wanted) == "PrincipalNotFound"
    arm.create(ROLE, wanted | {"principalType": "ServicePrincipal"})


def test_a_role_counts_only_after_it_has_propagated(arm: AzureNative) -> None:
    create_all(arm, until=ROLE)
    arm.world.set("pace", 0.002)
    arm.create(ROLE, example(ROLE))
    assert effective_roles(arm.world, DEPLOYER, f"{LAKE}/blobServices/default") == set()
    time.sleep(0.3)
    assert effective_roles(arm.world, DEPLOYER, f"{LAKE}/blobServices/default") == {BLOB_CONTRIBUTOR}
    assert effective_roles(arm.world, DEPLOYER, GROUP_ID) == set()


def test_the_same_assignment_under_another_name_exists_already(arm: AzureNative) -> None:
    create_all(arm)
    other = example(ROLE) | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0003"}
    assert refused(arm.create, ROLE, other) == "RoleAssignmentExists"


def test_an_assignment_can_not_be_given_to_another_role(arm: AzureNative) -> None:
    create_all(arm)
    assignment = arm.world.all(ROLE)[0]
    other = example(ROLE) | {"roleDefinitionId": role("acdd72a7-3385-48ef-bd42-f606fba81ae7")}
    assert refused(arm.update, ROLE, assignment.id, other) == "RoleAssignmentUpdateNotPermitted"
    assert arm.diff(ROLE, example(ROLE), other).replaces == {"roleDefinitionId"}


def test_system_identities_are_principals_and_keep_their_id(arm: AzureNative) -> None:
    create_all(arm)
    before = set(principals(arm.world))
    arm.update(AKS, CLUSTER, example(AKS) | {"tags": {"a": "b"}})
    assert set(principals(arm.world)) == before
    assert arm.world.get(CLUSTER).outputs["identityProfile"]["kubeletidentity"]["objectId"] in before  # type: ignore[union-attr]


def test_a_size_is_not_changed_in_place(arm: AzureNative) -> None:
    create_all(arm)
    bigger = example(POOL) | {"vmSize": "Standard_D4ds_v5"}
    assert refused(arm.update, POOL, f"{CLUSTER}/agentPools/scoring", bigger) == "PropertyChangeNotAllowed"
    assert arm.diff(POOL, example(POOL), bigger).replaces == {"vmSize"}
    profile = example(AKS)["agentPoolProfiles"][0] | {"vmSize": "Standard_D8ds_v5"}
    assert (
        refused(arm.update, AKS, CLUSTER, example(AKS) | {"agentPoolProfiles": [profile]}) == "PropertyChangeNotAllowed"
    )


def test_a_cluster_shows_its_separate_pools_in_its_own_list(arm: AzureNative) -> None:
    create_all(arm)
    seen = arm.read(AKS, CLUSTER)
    assert seen is not None
    assert [pool["name"] for pool in seen.inputs["agentPoolProfiles"]] == ["system", "scoring"]


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


def test_the_call_that_was_chosen_fails_once(arm: AzureNative) -> None:
    arm.faults.order(r"^create", nth=2)
    arm.create(*EXAMPLES[0])
    assert refused(arm.create, *EXAMPLES[1]) == "InjectedFault"
    assert arm.world.get(LAKE) is None
    arm.create(*EXAMPLES[1])
    assert arm.faults.pending() == 0


def test_a_lost_answer_leaves_the_resource_behind(arm: AzureNative) -> None:
    arm.faults.order(r"^create .*:StorageAccount", kind=FaultKind.LOST)
    arm.create(*EXAMPLES[0])
    assert refused(arm.create, *EXAMPLES[1]) == "InjectedFault"
    assert arm.world.get(LAKE) is not None
    assert refused(arm.create, *EXAMPLES[1]) == "ResourceAlreadyExists"


def test_a_slow_call_takes_its_seconds(arm: AzureNative) -> None:
    arm.faults.order(r"ResourceGroup", kind=FaultKind.SLOW, seconds=5.0)
    record = arm.create(*EXAMPLES[0])
    assert 4.0 < record.ready - time.time() <= 5.0


def test_every_call_is_written_down_with_its_outcome(arm: AzureNative) -> None:
    arm.create(*EXAMPLES[0])
    refused(arm.create, *EXAMPLES[0])
    arm.delete(GROUPS, GROUP_ID)
    calls = [(call.operation, call.outcome) for call in arm.faults.calls()]
    assert calls == [("create", "ok"), ("create", "ResourceAlreadyExists"), ("delete", "ok")]
