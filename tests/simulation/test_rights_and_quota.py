"""Who may give roles, and what a region's quota for all vCPUs lets happen at once."""

import pytest

from infra.cloud.role_list import Role
from personalize.bootstrap.rights import only_roles
from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.names import GROUP, SUBSCRIPTION, role
from tests.simulation.published import ROLES
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.authorization import TYPE as ROLE
from tests.simulation.services.pools import CLUSTER_TYPE, POOL_TYPE, used_vcpus

GROUP_TYPE, IDENTITY = "azure-native:resources:ResourceGroup", "azure-native:managedidentity:UserAssignedIdentity"
CONDITION = """
((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR
(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {%s})) AND
((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR
(@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {%s}))
"""
"""Source: learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples, "Constrain roles"."""


def condition(*names: str) -> str:
    """The condition that lets somebody give and take these roles."""
    listed = ", ".join(ROLES[name] for name in names)
    return " ".join((CONDITION % (listed, listed)).split())


@pytest.mark.parametrize("giver", ["Owner", "User Access Administrator", "Role Based Access Control Administrator"])
def test_roles_are_given_by_those_who_may(arm: AzureNative, giver: str) -> None:
    create_all(arm, until=ROLE)
    arm.world.set("deployer_roles", [ROLES["Contributor"], ROLES[giver]])
    arm.create(ROLE, example(ROLE))


def test_a_contributor_gives_and_takes_no_role(arm: AzureNative) -> None:
    create_all(arm, until=ROLE)
    given = arm.create(ROLE, example(ROLE) | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0052"})
    arm.world.set("deployer_roles", [ROLES["Contributor"]])
    other = changed(example(ROLE), "roleDefinitionId", role(ROLES["AcrPush"]))
    with pytest.raises(RefusedError, match=r"AuthorizationFailed.*does not have authorization to perform.*/write'"):
        arm.create(ROLE, other)
    with pytest.raises(RefusedError, match=r"roleAssignments/delete'"):
        arm.delete(ROLE, given.id)


def test_a_condition_names_the_roles_that_may_be_given(arm: AzureNative) -> None:
    create_all(arm, until=ROLE)
    wanted = example(ROLE)["roleDefinitionId"].rpartition("/")[2]
    name = next(name for name, known in ROLES.items() if known == wanted)
    arm.world.set("deployer_condition", condition("AcrPush", "AcrPull"))
    with pytest.raises(RefusedError, match="or an ABAC condition not fulfilled to perform"):
        arm.create(ROLE, example(ROLE))
    arm.world.set("deployer_condition", condition("AcrPush", name))
    given = arm.create(ROLE, example(ROLE))
    arm.world.set("deployer_condition", condition("AcrPush"))
    with pytest.raises(RefusedError, match="ABAC condition"):
        arm.delete(ROLE, given.id)


def test_the_condition_of_the_bootstrap_lets_every_role_of_the_stack_be_given_and_no_owner(arm: AzureNative) -> None:
    create_all(arm, until=ROLE)
    arm.world.set("deployer_condition", only_roles(*Role))
    for number, one in enumerate(Role):
        named = {"roleAssignmentName": f"0f1a9a44-7a53-4b5b-9a5e-6f5d5f0b00{number:02}"}
        arm.create(ROLE, example(ROLE) | named | {"roleDefinitionId": role(one)})
    with pytest.raises(RefusedError, match="ABAC condition"):
        arm.create(ROLE, example(ROLE) | {"roleDefinitionId": role(ROLES["Owner"])})


def test_a_contributor_of_one_group_writes_nothing_outside_of_it(arm: AzureNative) -> None:
    create_all(arm, until=ROLE)
    inside = {
        "scope": f"{SUBSCRIPTION}/resourceGroups/{GROUP}",
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0052",
    }
    caller = {"principalId": arm.world.setting("caller"), "principalType": "User"}
    arm.create(ROLE, example(ROLE) | inside | caller | {"roleDefinitionId": role(ROLES["Contributor"])})
    arm.world.set("deployer_roles", [])
    arm.create(IDENTITY, example(IDENTITY) | {"resourceName": "another"})
    with pytest.raises(RefusedError, match=r"AuthorizationFailed.* to write '/subscriptions/.*/prod-training'"):
        arm.create(GROUP_TYPE, example(GROUP_TYPE) | {"resourceGroupName": "prod-training"})


@pytest.mark.parametrize(("running", "fits"), [({}, True), ({"500": {"standardEDSv5Family": 4}}, False)])
def test_a_cluster_and_a_training_run_share_the_region_s_vcpus(
    arm: AzureNative, running: dict[str, dict[str, int]], *, fits: bool
) -> None:
    create_all(arm, until=CLUSTER_TYPE)
    arm.world.set("run_vcpus", running)
    arm.world.set("vcpu_quota", {"cores": 7})  # 4 for the example's only node
    if fits:
        arm.create(CLUSTER_TYPE, example(CLUSTER_TYPE))
        return
    with pytest.raises(RefusedError, match=r"Insufficient regional vcpu quota left .* quota 3, requested quota 4"):
        arm.create(CLUSTER_TYPE, example(CLUSTER_TYPE))


def test_a_pool_beyond_the_region_s_vcpus_is_refused_though_its_family_has_some(arm: AzureNative) -> None:
    create_all(arm, until=POOL_TYPE)
    arm.world.set("vcpu_quota", {"cores": used_vcpus(arm.world)["cores"]})
    with pytest.raises(RefusedError, match=r"ErrCode_InsufficientVCPUQuota.*regional vcpu quota 0"):
        arm.create(POOL_TYPE, example(POOL_TYPE))
