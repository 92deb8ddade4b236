"""The simulated Resource Manager's rules for networks that need more than one wrong field."""

from typing import Any

import pytest

from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.names import CLUSTER, IDENTITY, LAKE, REGISTRY, role
from tests.simulation.examples.network import NETWORK, OTHER, PARTS, ZONE
from tests.simulation.fakes.outside import answers, refuse_outside
from tests.simulation.published import ROLES
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.network import ENDPOINT, PEERING
from tests.simulation.services.network import NETWORK as NETWORK_TYPE
from tests.simulation.services.private_links import LINK
from tests.simulation.services.private_links import ZONE as ZONE_TYPE

DATABRICKS = "azure-native:databricks:Workspace"
AKS = "azure-native:containerservice:ManagedCluster"
STORAGE = "azure-native:storage:StorageAccount"


def test_a_registry_of_a_lower_tier_has_no_endpoint(arm: AzureNative) -> None:
    create_all(arm, until=ENDPOINT)
    connection = {"name": "registry", "privateLinkServiceId": REGISTRY, "groupIds": ["registry"]}
    with pytest.raises(RefusedError, match="SkuNotSupported"):
        arm.create(ENDPOINT, example(ENDPOINT) | {"privateLinkServiceConnections": [connection]})


def test_a_network_is_linked_to_one_zone_of_each_name(arm: AzureNative) -> None:
    create_all(arm)
    with pytest.raises(RefusedError, match="is linked to"):
        arm.create(LINK, example(LINK) | {"virtualNetworkLinkName": "again"})


@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        (NETWORK_TYPE, NETWORK),
        (ZONE_TYPE, f"{PARTS}/privateDnsZones/{ZONE}"),
        ("azure-native:network:NatGateway", f"{PARTS}/natGateways/nat"),
        ("azure-native:network:NetworkSecurityGroup", f"{PARTS}/networkSecurityGroups/rules"),
        ("azure-native:network:PublicIPAddress", f"{PARTS}/publicIPAddresses/nat"),
    ],
)
def test_a_resource_in_use_is_not_deleted(arm: AzureNative, kind: str, identity: str) -> None:
    create_all(arm)
    with pytest.raises(RefusedError, match=r"in use|still has the link"):
        arm.delete(kind, identity)


def inside(**changes: Any) -> dict[str, Any]:
    """A Databricks workspace in the network."""
    names = {"customPublicSubnetName": "hosts", "customPrivateSubnetName": "containers"} | changes
    parameters = {"enableNoPublicIp": {"value": True}, "customVirtualNetworkId": {"value": NETWORK}}
    return {
        **example(DATABRICKS),
        "workspaceName": "inside",
        "managedResourceGroupId": f"{example(DATABRICKS)['managedResourceGroupId']}-inside",
        "parameters": parameters | {name: {"value": value} for name, value in names.items()},
        "publicNetworkAccess": "Disabled",
        "requiredNsgRules": "NoAzureDatabricksRules",
    }


def test_databricks_needs_two_subnets_that_are_delegated_to_it(arm: AzureNative) -> None:
    create_all(arm)
    for wrong in ("cluster", "nowhere", "hosts"):
        with pytest.raises(RefusedError, match=r"must be delegated|There is no subnet|needs two subnets"):
            arm.create(DATABRICKS, inside(customPrivateSubnetName=wrong))
    with pytest.raises(RefusedError, match="NoAzureDatabricksRules"):
        arm.create(DATABRICKS, inside() | {"requiredNsgRules": "AllRules"})
    arm.create(DATABRICKS, inside())


def test_a_cluster_needs_a_role_on_its_subnet_outbound_access_and_separate_ranges(arm: AzureNative) -> None:
    create_all(arm)
    subnet = f"{NETWORK}/subnets/cluster"
    cluster = {
        **example(AKS),
        "resourceName": "inside",
        "dnsPrefix": "inside",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": [IDENTITY]},
        "agentPoolProfiles": [example(AKS)["agentPoolProfiles"][0] | {"vnetSubnetID": subnet}],
        "networkProfile": example(AKS)["networkProfile"] | {"outboundType": "userAssignedNATGateway"},
        "apiServerAccessProfile": {"enablePrivateCluster": True},
    }
    with pytest.raises(RefusedError, match="may not join"):
        arm.create(AKS, cluster)
    identity = arm.world.get(IDENTITY)
    assert identity is not None
    arm.create(
        "azure-native:authorization:RoleAssignment",
        {
            "scope": subnet,
            "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0002",
            "principalId": identity.outputs["principalId"],
            "principalType": "ServicePrincipal",
            "roleDefinitionId": role(ROLES["Network Contributor"]),
        },
    )
    wrong = [
        ("agentPoolProfiles.0.vnetSubnetID", f"{NETWORK}/subnets/hosts", "SubnetDelegated"),
        ("agentPoolProfiles.0.vnetSubnetID", f"{NETWORK}/subnets/endpoints", "InvalidSubnet"),
        ("networkProfile.podCidr", "10.100.0.0/16", "ServiceCidrOverlapExistingSubnetsCidr"),
        ("identity", {"type": "SystemAssigned"}, "CustomerSubnetIdentityMissing"),
        ("apiServerAccessProfile.authorizedIPRanges", ["203.0.113.0/24"], "BadRequest"),
    ]
    for path, value, code in wrong:
        with pytest.raises(RefusedError) as refused:
            arm.create(AKS, changed(cluster, path, value))
        assert refused.value.code == code
    arm.create(AKS, cluster)
    assert arm.world.all(AKS)[-1].id != CLUSTER


def test_a_closed_service_answers_callers_that_are_peered_linked_and_resolve_its_name(arm: AzureNative) -> None:
    create_all(arm)
    arm.update(STORAGE, LAKE, example(STORAGE) | {"publicNetworkAccess": "Disabled"})
    lake = arm.world.get(LAKE)
    assert lake is not None
    caller = arm.world.setting("caller")
    with pytest.raises(RefusedError, match="PublicNetworkAccessDisabled"):
        refuse_outside(arm.world, caller, lake, "blob")
    arm.world.set("place", NETWORK)
    assert answers(arm.world, caller, lake, "blob")
    assert not answers(arm.world, caller, lake, "dfs"), "it has no endpoint for that"
    arm.world.set("place", OTHER)
    assert not answers(arm.world, caller, lake, "blob"), "its names are not linked there"
    arm.create(LINK, example(LINK) | {"virtualNetworkLinkName": "other", "virtualNetwork": {"id": OTHER}})
    assert not answers(arm.world, caller, lake, "blob"), "only one half of the peering is there"
    back = {"virtualNetworkName": "other", "virtualNetworkPeeringName": "back", "remoteVirtualNetwork": {"id": NETWORK}}
    arm.create(PEERING, example(PEERING) | back)
    assert answers(arm.world, caller, lake, "blob")


def test_a_firewall_lets_in_the_resources_that_it_names_and_nobody_else(arm: AzureNative) -> None:
    """Microsoft, "Configure Azure Storage firewalls and virtual networks", "resource instance rules"."""
    create_all(arm)
    (connector,) = arm.world.all("azure-native:databricks:AccessConnector")
    rules = {"defaultAction": "Deny", "bypass": "None", "resourceAccessRules": [{"resourceId": connector.id}]}
    principal = connector.outputs["identity"]["principalId"]
    for access, admitted in (("Enabled", True), ("Disabled", False)):
        arm.update(STORAGE, LAKE, example(STORAGE) | {"publicNetworkAccess": access, "networkRuleSet": rules})
        lake = arm.world.get(LAKE)
        assert lake is not None
        assert answers(arm.world, principal, lake, "dfs") is admitted
        assert not answers(arm.world, arm.world.setting("caller"), lake, "dfs")
