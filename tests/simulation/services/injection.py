"""What Databricks and AKS refuse about the network they are deployed into."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from tests.simulation.published import ROLES
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, dig
from tests.simulation.services.authorization import TYPE as ROLE
from tests.simulation.services.network import subnet_of
from tests.simulation.world import World, key_of

DELEGATED = "Microsoft.Databricks/workspaces"
SMALLEST_DATABRICKS = 26
NETWORKS_FROM, NETWORKS_TO = 16, 24


def refuse_workspace_network(call: Call) -> None:
    """Databricks needs two delegated subnets of at least /26 with a security group; without them it can't be
    private."""
    network = call.input("parameters.customVirtualNetworkId.value")
    closed = call.input("publicNetworkAccess") == "Disabled"
    inside = call.input("requiredNsgRules") == "NoAzureDatabricksRules"
    if closed != inside or (closed and not network):
        message = "Without public access a workspace needs a network of yours, and NoAzureDatabricksRules."
        raise RefusedError(400, "InvalidParameter", message)
    if not network:
        return
    names = [call.input(f"parameters.{name}.value") for name in ("customPublicSubnetName", "customPrivateSubnetName")]
    if len(set(names)) != len(names) or None in names:
        raise RefusedError(400, "InvalidParameter", f"A workspace needs two subnets, not {names}.")
    record = call.world.get(network)
    for text in dig(record.inputs, "addressSpace.addressPrefixes", []) if record else []:
        if not NETWORKS_FROM <= ipaddress.IPv4Network(text).prefixlen <= NETWORKS_TO:
            raise RefusedError(400, "InvalidVirtualNetwork", f"{text} must be from /16 to /24.")
    for name in names:
        _refuse_databricks_subnet(call.world, f"{network}/subnets/{name}")


def _refuse_databricks_subnet(world: World, identity: str) -> None:
    subnet = subnet_of(world, identity)
    if subnet is None:
        raise RefusedError(400, "InvalidSubnet", f"There is no subnet {identity}.")
    if [one.get("serviceName") for one in subnet.get("delegations", [])] != [DELEGATED]:
        raise RefusedError(400, "SubnetNotDelegated", f"{identity} must be delegated to {DELEGATED}.")
    if not dig(subnet, "networkSecurityGroup.id"):
        raise RefusedError(400, "SubnetMissingNsg", f"{identity} must have a network security group.")
    if ipaddress.IPv4Network(subnet["addressPrefix"]).prefixlen > SMALLEST_DATABRICKS:
        raise RefusedError(400, "SubnetTooSmall", f"{identity} is smaller than /{SMALLEST_DATABRICKS}.")


def refuse_cluster_network(call: Call) -> None:
    """An own subnet needs outbound access, free addresses, ranges that don't overlap, an identity that may join it, and
    a private API server."""
    profile = call.input("apiServerAccessProfile", {})
    if profile.get("enablePrivateCluster") and profile.get("authorizedIPRanges"):
        raise RefusedError(400, "BadRequest", "Authorized ranges can't be used with a private cluster.")
    own = [pool["vnetSubnetID"] for pool in call.input("agentPoolProfiles", []) if pool.get("vnetSubnetID")]
    out = call.input("networkProfile.outboundType", "loadBalancer")
    if out == "userAssignedNATGateway" and not own:
        raise RefusedError(400, "BadRequest", "outboundType userAssignedNATGateway needs a subnet of yours.")
    for identity in own:
        subnet = _node_subnet(call.world, identity)
        if out == "userAssignedNATGateway" and not dig(subnet, "natGateway.id"):
            raise RefusedError(400, "InvalidSubnet", f"{identity} has no NAT gateway.")
        for name in ("podCidr", "serviceCidr"):
            inner = ipaddress.IPv4Network(call.input(f"networkProfile.{name}"))
            if inner.overlaps(ipaddress.IPv4Network(subnet["addressPrefix"])):
                raise RefusedError(400, "ServiceCidrOverlapExistingSubnetsCidr", f"{name} {inner} overlaps {identity}.")
        _refuse_identity(call, identity)


def refuse_pool_network(call: Call) -> None:
    """A separate pool is in its cluster's subnet, or, like the cluster, in a network made by AKS."""
    identity = call.input("vnetSubnetID")
    cluster = call.world.get(call.id.rpartition("/agentPools/")[0])
    pools = dig(cluster.inputs, "agentPoolProfiles", []) if cluster else []
    theirs = {key_of(pool.get("vnetSubnetID") or "") for pool in pools}
    if key_of(identity or "") not in theirs:
        raise RefusedError(400, "InvalidParameter", f"All pools must be in one network; {identity} is not {theirs}.")
    if identity:
        _node_subnet(call.world, identity)


def _node_subnet(world: World, identity: str) -> Mapping[str, Any]:
    subnet = subnet_of(world, identity)
    if subnet is None:
        raise RefusedError(404, "VnetNotFound", f"There is no subnet {identity}.")
    if subnet.get("delegations"):
        raise RefusedError(400, "SubnetDelegated", f"{identity} is delegated to another service.")
    return subnet


def _refuse_identity(call: Call, subnet: str) -> None:
    if "UserAssigned" not in call.input("identity.type", ""):
        message = "A cluster in a subnet of yours needs an identity that has its role before: a user-assigned one."
        raise RefusedError(400, "CustomerSubnetIdentityMissing", message)
    for identity in call.input("identity.userAssignedIdentities", []):
        record = call.world.get(identity)
        principal = record.outputs.get("principalId", "") if record else ""
        if not _given(call.world, principal, subnet):
            message = f"The identity {identity} may not join {subnet}."
            raise RefusedError(400, "CustomRouteTableMissingPermission", message)


def _given(world: World, principal: str, subnet: str) -> bool:
    """Whether the role is assigned. AKS is assumed to retry until it takes effect."""
    wanted = {ROLES[name] for name in ("Network Contributor", "Contributor", "Owner")}
    return any(
        one.inputs["principalId"] == principal
        and str(one.inputs["roleDefinitionId"]).rpartition("/")[2].lower() in wanted
        and key_of(subnet).startswith(key_of(one.inputs["scope"]))
        for one in world.all(ROLE)
    )
