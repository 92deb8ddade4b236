"""The IDs of resources whose creation was interrupted. Azure finishes it, then refuses to create them again.

An ID is known in advance: it is a path of the names that the program chose. No SDK is imported here.
"""

import re
from collections.abc import Mapping
from typing import Any

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
    "storage:ManagementPolicy": STORAGE + "/managementPolicies/{managementPolicyName}",
    "keyvault:Vault": VAULT,
    "keyvault:Secret": VAULT + "/secrets/{secretName}",
    "operationalinsights:Workspace": GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
    "applicationinsights:Component": INSIGHTS + "/components/{resourceName}",
    "applicationinsights:Workbook": INSIGHTS + "/workbooks/{resourceName}",
    "applicationinsights:WebTest": INSIGHTS + "/webtests/{webTestName}",
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
"""Databricks' objects whose ID is a name. The IDs of policies and jobs come from Databricks."""
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
