"""Requirements of a private stack, written by hand from Microsoft's pages: groups, zones, address ranges, dependencies.

Groups and zones: "Azure Private Endpoint private DNS zone values" (private-link/private-endpoint-dns, July 2026); for
Databricks also "Enable Azure Private Link as a simplified deployment". Databricks' network: "Deploy Azure Databricks in
your Azure virtual network". AKS: "Create a private Azure Kubernetes Service cluster", "Create NAT gateways for your
cluster", "Use an internal load balancer with AKS". Azure reserves five addresses of each subnet: "Azure Virtual Network
FAQ".
"""

import ipaddress
from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from tests.infra.graph.cloud_recorder import PEERED
from tests.infra.wiring.page import PRIVATE
from tests.infra.wiring.recording import Declared, committed, record

ENDPOINTS = {
    ("storage:StorageAccount lake", "blob", ("privatelink.blob.core.windows.net",)),
    ("storage:StorageAccount lake", "dfs", ("privatelink.dfs.core.windows.net",)),
    ("storage:StorageAccount workspace-storage", "blob", ("privatelink.blob.core.windows.net",)),
    ("storage:StorageAccount workspace-storage", "file", ("privatelink.file.core.windows.net",)),
    ("keyvault:Vault vault", "vault", ("privatelink.vaultcore.azure.net",)),
    ("containerregistry:Registry registry", "registry", ("privatelink.azurecr.io",)),
    (
        "machinelearningservices:Workspace machine-learning",
        "amlworkspace",
        ("privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"),
    ),
    ("databricks:Workspace databricks-workspace", "databricks_ui_api", ("privatelink.azuredatabricks.net",)),
    ("databricks:Workspace databricks-workspace", "browser_authentication", ("privatelink.azuredatabricks.net",)),
}
CLOSED = {
    "storage:StorageAccount workspace-storage": "publicNetworkAccess",
    "containerregistry:Registry registry": "publicNetworkAccess",
    "machinelearningservices:Workspace machine-learning": "publicNetworkAccess",
    "databricks:Workspace databricks-workspace": "publicNetworkAccess",
}
KUBERNETES_RANGES = ("10.0.0.0/16", "10.244.0.0/16")
OF_AZURE = 5


@pytest.fixture(scope="module")
def stack() -> dict[str, Declared]:
    """The resources of stack `dev` with a private network and a pool for the service, by name."""
    return {one.name: one for one in record(committed("dev", **PRIVATE, scoring_nodes_max=3), "dev").resources}


def of(stack: dict[str, Declared], kind: str) -> dict[str, Declared]:
    return {name.partition(" ")[2]: one for name, one in stack.items() if name.startswith(f"{kind} ")}


def test_every_service_has_its_endpoints_with_their_names(stack: dict[str, Declared]) -> None:
    found = set()
    for endpoint in of(stack, "network:PrivateEndpoint").values():
        (connection,) = endpoint.inputs["privateLinkServiceConnections"]
        (target,) = endpoint.sources["privateLinkServiceConnections"]
        (group,) = connection["groupIds"]
        assert endpoint.inputs["subnet"]["id"].endswith("/subnets/endpoints")
        (names,) = [
            one
            for one in of(stack, "network:PrivateDnsZoneGroup").values()
            if one.inputs["privateEndpointName"] == endpoint.inputs["privateEndpointName"]
        ]
        zones = tuple(config["privateDnsZoneId"].rpartition("/")[2] for config in names.inputs["privateDnsZoneConfigs"])
        found.add((target, group, zones))
    assert found == ENDPOINTS


def test_every_zone_is_seen_from_both_networks_and_gives_machines_no_names(stack: dict[str, Declared]) -> None:
    zones = {one.inputs["privateZoneName"] for one in of(stack, "privatedns:PrivateZone").values()}
    assert zones == {zone for *_, zones in ENDPOINTS for zone in zones} | {host(stack)}
    links = of(stack, "privatedns:VirtualNetworkLink").values()
    assert all(one.inputs["registrationEnabled"] is False for one in links)
    own = of(stack, "network:VirtualNetwork")["network"].id
    assert {(one.inputs["privateZoneName"], one.inputs["virtualNetwork"]["id"]) for one in links} == {
        (zone, network) for zone in zones for network in (own, PEERED)
    }


def host(stack: dict[str, Declared]) -> str:
    return str(stack["azure:Certificate service-certificate"].inputs["host"])


def test_the_service_s_name_is_the_load_balancer_s_address_in_its_own_subnet(stack: dict[str, Declared]) -> None:
    record_set = stack["privatedns:PrivateRecordSet service-name"].inputs
    annotations = stack["core/v1:Service load-balancer"].inputs["metadata"]["annotations"]
    prefix = "service.beta.kubernetes.io/azure-load-balancer-"
    address = annotations[f"{prefix}ipv4"]
    assert annotations == {
        f"{prefix}internal": "true",
        f"{prefix}internal-subnet": "service",
        f"{prefix}ipv4": address,
    }
    assert host(stack).endswith(".internal")
    assert (record_set["privateZoneName"], record_set["relativeRecordSetName"]) == (host(stack), "@")
    assert record_set["aRecords"] == [{"ipv4Address": address}]
    usable = list(subnets(stack)["service"].hosts())[OF_AZURE - 2 :]
    assert ipaddress.IPv4Address(address) in usable


def subnets(stack: dict[str, Declared]) -> dict[str, ipaddress.IPv4Network]:
    network = stack["network:VirtualNetwork network"].inputs
    return {one["name"]: ipaddress.IPv4Network(one["addressPrefix"]) for one in network["subnets"]}


def test_ranges_lie_in_the_network_and_overlap_with_nothing(stack: dict[str, Declared]) -> None:
    (whole,) = stack["network:VirtualNetwork network"].inputs["addressSpace"]["addressPrefixes"]
    ranges = [*subnets(stack).values(), *(ipaddress.IPv4Network(text) for text in KUBERNETES_RANGES)]
    assert 16 <= ipaddress.IPv4Network(whole).prefixlen <= 24
    assert all(one.subnet_of(ipaddress.IPv4Network(whole)) for one in subnets(stack).values())
    assert not [(one, two) for one in ranges for two in ranges if one is not two and one.overlaps(two)]


def test_subnets_are_large_enough_for_what_runs_in_them(stack: dict[str, Declared]) -> None:
    pools = [
        *stack["containerservice:ManagedCluster cluster"].inputs["agentPoolProfiles"],
        stack["containerservice:AgentPool scoring-pool"].inputs,
    ]
    nodes = sum(pool["maxCount"] + 1 for pool in pools)  # one more node during an upgrade
    assert subnets(stack)["cluster"].num_addresses - OF_AZURE > nodes
    for name in ("databricks-hosts", "databricks-containers"):
        assert subnets(stack)[name].prefixlen <= 26
    assert subnets(stack)["endpoints"].num_addresses - OF_AZURE > 2 * len(ENDPOINTS)


def test_databricks_has_two_subnets_that_are_its_own(stack: dict[str, Declared]) -> None:
    parameters = stack["databricks:Workspace databricks-workspace"].inputs["parameters"]
    names = {parameters[name]["value"] for name in ("customPublicSubnetName", "customPrivateSubnetName")}
    assert parameters["enableNoPublicIp"] == {"value": True}
    assert parameters["customVirtualNetworkId"]["value"] == stack["network:VirtualNetwork network"].id
    delegated = {one["name"]: one for one in shown_subnets(stack) if "delegations" in one}
    assert set(delegated) == names == {"databricks-hosts", "databricks-containers"}
    for one in delegated.values():
        assert [part["serviceName"] for part in one["delegations"]] == ["Microsoft.Databricks/workspaces"]
        assert one["networkSecurityGroup"]["id"] == stack["network:NetworkSecurityGroup databricks-rules"].id
    assert stack["network:NetworkSecurityGroup databricks-rules"].options["ignore_changes"] == ["securityRules"]


def shown_subnets(stack: dict[str, Declared]) -> list[dict[str, Any]]:
    return list(stack["network:VirtualNetwork network"].inputs["subnets"])


def test_machines_go_out_by_the_nat_gateway_and_nothing_else_does(stack: dict[str, Declared]) -> None:
    gateway = stack["network:NatGateway nat-gateway"]
    out = {one["name"] for one in shown_subnets(stack) if one.get("natGateway") == {"id": gateway.id}}
    assert out == {"cluster", "databricks-hosts", "databricks-containers"}
    assert all(one["defaultOutboundAccess"] is False for one in shown_subnets(stack))
    assert gateway.inputs["publicIpAddresses"] == [{"id": stack["network:PublicIPAddress nat-address"].id}]
    assert stack["containerservice:ManagedCluster cluster"].inputs["networkProfile"]["outboundType"] == (
        "userAssignedNATGateway"
    )


def test_nothing_answers_the_internet(stack: dict[str, Declared]) -> None:
    for name, field in CLOSED.items():
        assert stack[name].inputs[field] == "Disabled", name
    vault = stack["keyvault:Vault vault"].inputs["properties"]
    assert vault["publicNetworkAccess"] == "Disabled"
    assert stack["databricks:Workspace databricks-workspace"].inputs["requiredNsgRules"] == "NoAzureDatabricksRules"
    assert stack["containerregistry:Registry registry"].inputs["sku"] == {"name": "Premium"}
    assert stack["containerservice:ManagedCluster cluster"].inputs["apiServerAccessProfile"] == {
        "enablePrivateCluster": True,
        "enablePrivateClusterPublicFQDN": True,
        "privateDNSZone": "none",
    }


def test_of_what_comes_by_a_public_address_only_the_connector_reaches_the_lake(stack: dict[str, Declared]) -> None:
    lake = stack["storage:StorageAccount lake"].inputs["networkRuleSet"]
    plain = stack["storage:StorageAccount workspace-storage"].inputs["networkRuleSet"]
    assert lake["defaultAction"] == plain["defaultAction"] == "Deny"
    assert lake["bypass"] == "None"
    assert not lake.get("ipRules")
    assert not lake.get("virtualNetworkRules")
    assert stack["storage:StorageAccount lake"].inputs["publicNetworkAccess"] == "Enabled", "else no rule counts"
    assert [rule["resourceId"] for rule in lake["resourceAccessRules"]] == [
        stack["databricks:AccessConnector lake-access"].id
    ]
    assert "resourceAccessRules" not in plain


def test_the_cluster_may_join_its_two_subnets_before_it_is_made(stack: dict[str, Declared]) -> None:
    cluster = stack["containerservice:ManagedCluster cluster"]
    assert cluster.inputs["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": [stack["managedidentity:UserAssignedIdentity aks-identity"].id],
    }
    given = [stack[name].inputs for name in cluster.after if name.startswith("authorization:RoleAssignment")]
    assert {role["scope"].rpartition("/")[2] for role in given} == {"cluster", "service"}
    assert {role["principalId"] for role in given} == {"principal-of-cluster"}
    for pool in (cluster.inputs["agentPoolProfiles"][0], stack["containerservice:AgentPool scoring-pool"].inputs):
        assert pool["vnetSubnetID"].endswith("/subnets/cluster")


def test_networks_are_peered_both_ways(stack: dict[str, Declared]) -> None:
    own = stack["network:VirtualNetwork network"]
    there, back = (stack[f"network:VirtualNetworkPeering {name}"] for name in ("peering", "peering-back"))
    assert there.inputs["virtualNetworkName"] == own.inputs["virtualNetworkName"]
    assert there.inputs["remoteVirtualNetwork"] == {"id": PEERED}
    assert (back.inputs["resourceGroupName"], back.inputs["virtualNetworkName"]) == ("rg-hub", "hub")
    assert back.inputs["remoteVirtualNetwork"] == {"id": own.id}


def test_every_step_waits_for_the_way_to_what_it_calls(stack: dict[str, Declared]) -> None:
    steps = [one for one in stack.values() if one.custom and one.name.startswith("azure:")]
    assert len(steps) >= 10
    names = {one.name for one in of(stack, "network:PrivateDnsZoneGroup").values()}
    for step in steps:
        assert names <= set(step.after), step.name


def test_a_name_waits_for_its_links_and_the_peering(stack: dict[str, Declared]) -> None:
    """A client that resolves a name too early gets the public address, and caches it."""
    for names in of(stack, "network:PrivateDnsZoneGroup").values():
        zones = {config["privateDnsZoneId"].rpartition("/")[2] for config in names.inputs["privateDnsZoneConfigs"]}
        links = {f"privatedns:VirtualNetworkLink {side}-{zone}" for zone in zones for side in ("own", "peered")}
        assert links | {"network:VirtualNetworkPeering peering-back"} == set(names.after)
