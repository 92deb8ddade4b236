"""Corrects a stack's state: operations that a killed engine left open, and node pools that AKS reports twice.

What was being deleted may be gone or half there: the next update reads it first, and a deletion repeats it without a
look, since something half-deleted can't always be read. Interrupted steps find their own work again.

Azure finishes what it had begun to create, then refuses to create it
again, so such resources are adopted: they are written into the state with their IDs, and a refresh of them alone reads
or removes them. An ID is known in advance: it is a path of the names that the program chose. `pulumi refresh
--import-pending-creates` does not work here: it marks such resources and then drops them (seen with Pulumi 3.274).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pulumi.automation import Deployment, Stack

from infra.azure_settings import AzureSettings
from infra.cloud.names import SYSTEM_POOL
from personalize.stack import guards
from personalize.stack.databricks_access import numbered_identity

GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"
STORAGE = GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}"
CLUSTER = GROUP + "/providers/Microsoft.ContainerService/managedClusters/{resourceName}"
IDENTITY = GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
VAULT = GROUP + "/providers/Microsoft.KeyVault/vaults/{vaultName}"
INSIGHTS = GROUP + "/providers/Microsoft.Insights"
NETWORK = GROUP + "/providers/Microsoft.Network"
ENDPOINT = NETWORK + "/privateEndpoints/{privateEndpointName}"
ZONE = NETWORK + "/privateDnsZones/{privateZoneName}"
AZURE_PATHS = {
    "storage:StorageAccount": STORAGE,
    "storage:BlobContainer": STORAGE + "/blobServices/default/containers/{containerName}",
    "keyvault:Vault": VAULT,
    "keyvault:Secret": VAULT + "/secrets/{secretName}",
    "operationalinsights:Workspace": GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
    "applicationinsights:Component": INSIGHTS + "/components/{resourceName}",
    "monitor:DiagnosticSetting": "/{resourceUri}/providers/microsoft.insights/diagnosticSettings/{name}",
    "monitor:ActionGroup": INSIGHTS + "/actionGroups/{actionGroupName}",
    "monitor:MetricAlert": INSIGHTS + "/metricAlerts/{ruleName}",
    "monitor:ScheduledQueryRule": INSIGHTS + "/scheduledQueryRules/{ruleName}",
    "monitor:DataCollectionRule": INSIGHTS + "/dataCollectionRules/{dataCollectionRuleName}",
    "monitor:DataCollectionRuleAssociation": "/{resourceUri}/providers/Microsoft.Insights/"
    "dataCollectionRuleAssociations/{associationName}",
    "containerregistry:Registry": GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registryName}",
    "machinelearningservices:Workspace": GROUP
    + "/providers/Microsoft.MachineLearningServices/workspaces/{workspaceName}",
    "databricks:Workspace": GROUP + "/providers/Microsoft.Databricks/workspaces/{workspaceName}",
    "databricks:AccessConnector": GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
    "containerservice:ManagedCluster": CLUSTER,
    "containerservice:AgentPool": CLUSTER + "/agentPools/{agentPoolName}",
    "containerservice:MaintenanceConfiguration": CLUSTER + "/maintenanceConfigurations/{configName}",
    "managedidentity:UserAssignedIdentity": IDENTITY,
    "managedidentity:FederatedIdentityCredential": IDENTITY
    + "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
    "authorization:RoleAssignment": "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
    "network:PublicIPAddress": NETWORK + "/publicIPAddresses/{publicIpAddressName}",
    "network:NatGateway": NETWORK + "/natGateways/{natGatewayName}",
    "network:NetworkSecurityGroup": NETWORK + "/networkSecurityGroups/{networkSecurityGroupName}",
    "network:VirtualNetwork": NETWORK + "/virtualNetworks/{virtualNetworkName}",
    "network:VirtualNetworkPeering": NETWORK
    + "/virtualNetworks/{virtualNetworkName}/virtualNetworkPeerings/{virtualNetworkPeeringName}",
    "network:PrivateEndpoint": ENDPOINT,
    "network:PrivateDnsZoneGroup": ENDPOINT + "/privateDnsZoneGroups/{privateDnsZoneGroupName}",
    "privatedns:PrivateZone": ZONE,
    "privatedns:VirtualNetworkLink": ZONE + "/virtualNetworkLinks/{virtualNetworkLinkName}",
    "privatedns:PrivateRecordSet": ZONE + "/{recordType}/{relativeRecordSetName}",
}
"""By azure-native's type. Types that are a setting of their parent are left out: creating one again only changes it."""
DATABRICKS_IDS = {
    "index/storageCredential:StorageCredential": "{name}",
    "index/externalLocation:ExternalLocation": "{name}",
    "index/catalog:Catalog": "{name}",
    "index/schema:Schema": "{catalogName}.{name}",
    "index/volume:Volume": "{catalogName}.{schemaName}.{name}",
}
"""Databricks' objects whose ID is a name. A job's comes from Databricks, and a member may be added again."""
GRANT = "index/grant:Grant"
GRANT_IDS = {
    "catalog": "catalog/{catalog}/{principal}",
    "volume": "volume/{volume}/{principal}",
    "storageCredential": "storage_credential/{storageCredential}/{principal}",
    "externalLocation": "external_location/{externalLocation}/{principal}",
}
"""The ID of a grant, by the kind of object it is on."""
PART = re.compile(r"{(\w+)}")


def identity_of(kind: str, inputs: Mapping[str, Any], subscription: str) -> str | None:
    """The ID of a resource of Pulumi's type `kind`, None if its ID does not follow from its inputs."""
    package, _, name = kind.partition(":")
    template = {"azure-native": AZURE_PATHS, "databricks": DATABRICKS_IDS}.get(package, {}).get(name)
    if name == GRANT:
        template = next((template for on, template in GRANT_IDS.items() if on in inputs), None)
    if template is None:
        return None
    parts = {"subscription": subscription, **inputs}
    names = PART.findall(template)
    if not all(isinstance(parts.get(name), str) for name in names):
        return None
    return template.format_map({name: parts[name].strip("/") for name in names})


CREATING = "creating"
DELETING = "deleting"
POOLS = "agentPoolProfiles"
Refresh = Callable[[list[str]], object]
Resource = Mapping[str, Any]


def settle(
    stack: Stack, pending: Sequence[Resource], azure: AzureSettings | None, refresh: Refresh, *, destroys: bool
) -> str:
    """Resolve the stack's operations `pending` before an update, or before one that `destroys` all. Returns a message.

    `refresh` runs `pulumi refresh` with more arguments. Operations that the next update repeats are dropped.
    """
    exported = stack.export_stack()
    deployment = dict(exported.deployment or {})
    resources = list(deployment.get("resources") or ())
    adopted = _adopted(pending, resources, azure) if azure else []
    deleted = {one["resource"]["urn"] for one in pending if one["type"] == DELETING and not destroys}
    # The engine keeps this mark until an update has read the resource, however often updates fail before.
    resources = [one | {"refreshBeforeUpdate": True} if one["urn"] in deleted else one for one in resources]
    deployment |= {"pending_operations": [], "resources": [*resources, *adopted]}
    stack.import_stack(Deployment(version=exported.version, deployment=deployment))
    if adopted:
        refresh([part for resource in adopted for part in ("--target", resource["urn"])])
    found = f", {len(adopted)} of which Azure may have finished" if adopted else ""
    return f"The last update was killed in {len(pending)} step(s){found}; continuing from there."


def _adopted(pending: Sequence[Resource], resources: Sequence[Resource], azure: AzureSettings) -> list[Resource]:
    """The resources that were being created and may exist, with their IDs."""
    known = {resource["urn"] for resource in resources}
    adopted: list[Resource] = []
    for operation in pending:
        resource = operation["resource"]
        if operation["type"] != CREATING or resource["urn"] in known:
            continue
        inputs = resource.get("inputs") or {}
        identity = identity_of(resource["type"], inputs, azure.subscription) or numbered_identity(
            resource["type"], inputs, resources, azure.tenant
        )
        if identity is not None:
            adopted.append({**resource, "id": identity, "outputs": inputs})
    return adopted


def forget_shown_pools(stack: Stack) -> None:
    """Reduce the clusters in the state to their own node pool.

    AKS lists pools that are resources of their own in the cluster too. After a refresh the next update would take them
    for a change, and write the cluster without them.
    """
    exported = stack.export_stack()
    deployment = dict(exported.deployment or {})
    before = deployment.get("resources") or []
    after = [_without_shown(item) if item["type"] == guards.CLUSTER else item for item in before]
    if after != before:
        stack.import_stack(Deployment(version=exported.version, deployment=deployment | {"resources": after}))


def _without_shown(cluster: Mapping[str, Any]) -> dict[str, Any]:
    outputs = cluster["outputs"]
    kept = {"__inputs": _own(outputs["__inputs"])} if "__inputs" in outputs else {}
    return {**cluster, "inputs": _own(cluster["inputs"]), "outputs": {**outputs, **kept}}


def _own(inputs: Mapping[str, Any]) -> dict[str, Any]:
    own = [pool for pool in inputs.get(POOLS) or () if pool.get("name") == SYSTEM_POOL]
    return {**inputs, POOLS: own} if POOLS in inputs else dict(inputs)
