"""One valid set of inputs for every type that the simulation knows, in an order in which they can be created."""

import datetime as dt
from typing import Any

from tests.simulation.arm import Arm
from tests.simulation.world import DEFAULTS

SUBSCRIPTION = f"/subscriptions/{DEFAULTS['subscription']}"
GROUP = "rg-serving"
IN_GROUP = {"resourceGroupName": GROUP}
HERE = {"resourceGroupName": GROUP, "location": "westeurope"}
LAKE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/lakeabc"
PLAIN = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/plainabc"
VAULT = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/vault-abc"
LOGS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.OperationalInsights/workspaces/logs"
INSIGHTS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Insights"
REGISTRY = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerRegistry/registries/registryabc"
CLUSTER = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
IDENTITY = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-pods"
DEPLOYER = DEFAULTS["deployers"][0]["object_id"]
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
THIS_MONTH = dt.datetime.now(dt.UTC).strftime("%Y-%m-01T00:00:00Z")


def role(guid: str) -> str:
    """Id of a built-in role."""
    return f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}"


EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("azure-native:resources:ResourceGroup", {**HERE, "tags": {"project": "personalization"}}),
    (
        "azure-native:storage:StorageAccount",
        {
            **HERE,
            "accountName": "lakeabc",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "isHnsEnabled": True,
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "minimumTlsVersion": "TLS1_2",
            "enableHttpsTrafficOnly": True,
            "networkRuleSet": {"defaultAction": "Allow", "bypass": "AzureServices"},
        },
    ),
    (
        "azure-native:storage:StorageAccount",
        {
            **HERE,
            "accountName": "plainabc",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "allowSharedKeyAccess": False,
        },
    ),
    (
        "azure-native:storage:BlobContainer",
        {**IN_GROUP, "accountName": "lakeabc", "containerName": "raw", "publicAccess": "None"},
    ),
    (
        "azure-native:storage:ManagementPolicy",
        {
            **IN_GROUP,
            "accountName": "lakeabc",
            "managementPolicyName": "default",
            "policy": {
                "rules": [
                    {
                        "name": "cool",
                        "type": "Lifecycle",
                        "enabled": True,
                        "definition": {
                            "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["raw/"]},
                            "actions": {"baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 30}}},
                        },
                    }
                ]
            },
        },
    ),
    (
        "azure-native:storage:BlobServiceProperties",
        {
            **IN_GROUP,
            "accountName": "lakeabc",
            "blobServicesName": "default",
            "deleteRetentionPolicy": {"enabled": True, "days": 7},
        },
    ),
    (
        "azure-native:keyvault:Vault",
        {
            **HERE,
            "vaultName": "vault-abc",
            "properties": {
                "tenantId": DEFAULTS["tenant"],
                "sku": {"family": "A", "name": "standard"},
                "enableRbacAuthorization": True,
                "softDeleteRetentionInDays": 7,
            },
        },
    ),
    (
        "azure-native:keyvault:Secret",
        {**IN_GROUP, "vaultName": "vault-abc", "secretName": "scoring-key", "properties": {"value": "k"}},
    ),
    (
        "azure-native:operationalinsights:Workspace",
        {
            **HERE,
            "workspaceName": "logs",
            "sku": {"name": "PerGB2018"},
            "retentionInDays": 30,
            "workspaceCapping": {"dailyQuotaGb": 1.0},
        },
    ),
    (
        "azure-native:applicationinsights:Component",
        {
            **HERE,
            "resourceName": "insights",
            "kind": "web",
            "applicationType": "web",
            "ingestionMode": "LogAnalytics",
            "workspaceResourceId": LOGS,
        },
    ),
    (
        "azure-native:applicationinsights:Workbook",
        {
            **HERE,
            "resourceName": "6e1a1f9c-3a5c-4c55-9d2c-0a5cb1c1a001",
            "kind": "shared",
            "category": "workbook",
            "displayName": "Scoring",
            "serializedData": "{}",
            "sourceId": LOGS,
        },
    ),
    (
        "azure-native:monitor:DiagnosticSetting",
        {
            "resourceUri": f"{LAKE}/blobServices/default",
            "name": "to-logs",
            "workspaceId": LOGS,
            "logs": [{"categoryGroup": "allLogs", "enabled": True}],
            "metrics": [{"category": "AllMetrics", "enabled": True}],
        },
    ),
    (
        "azure-native:monitor:ActionGroup",
        {
            **IN_GROUP,
            "location": "global",
            "actionGroupName": "operators",
            "groupShortName": "ops",
            "enabled": True,
            "emailReceivers": [{"name": "mail", "emailAddress": "ops@example.com", "useCommonAlertSchema": True}],
        },
    ),
    (
        "azure-native:monitor:MetricAlert",
        {
            **IN_GROUP,
            "location": "global",
            "ruleName": "vault-latency",
            "enabled": True,
            "severity": 2,
            "scopes": [VAULT],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {
                "odataType": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "criterionType": "StaticThresholdCriterion",
                        "name": "slow",
                        "metricNamespace": "Insights.Container/nodes",
                        "metricName": "cpuUsagePercentage",
                        "operator": "GreaterThan",
                        "threshold": 85,
                        "timeAggregation": "Average",
                        "skipMetricValidation": True,
                    }
                ],
            },
            "actions": [{"actionGroupId": f"{INSIGHTS}/actionGroups/operators"}],
        },
    ),
    (
        "azure-native:monitor:ScheduledQueryRule",
        {
            **HERE,
            "ruleName": "errors",
            "enabled": True,
            "severity": 2,
            "scopes": [LOGS],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "skipQueryValidation": True,
            "criteria": {
                "allOf": [
                    {"query": "ContainerLogV2", "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 5}
                ]
            },
        },
    ),
    (
        "azure-native:consumption:Budget",
        {
            "scope": SUBSCRIPTION,
            "budgetName": "monthly",
            "amount": 200,
            "category": "Cost",
            "timeGrain": "Monthly",
            "timePeriod": {"startDate": THIS_MONTH},
            "notifications": {
                "actual80": {
                    "enabled": True,
                    "operator": "GreaterThan",
                    "threshold": 80,
                    "thresholdType": "Actual",
                    "contactEmails": ["ops@example.com"],
                }
            },
        },
    ),
    (
        "azure-native:containerregistry:Registry",
        {**HERE, "registryName": "registryabc", "sku": {"name": "Basic"}, "adminUserEnabled": False},
    ),
    (
        "azure-native:machinelearningservices:Workspace",
        {
            **HERE,
            "workspaceName": "models",
            "identity": {"type": "SystemAssigned"},
            "storageAccount": PLAIN,
            "keyVault": VAULT,
            "applicationInsights": f"{INSIGHTS}/components/insights",
            "containerRegistry": REGISTRY,
            "systemDatastoresAuthMode": "Identity",
        },
    ),
    (
        "azure-native:databricks:Workspace",
        {
            **HERE,
            "workspaceName": "training",
            "sku": {"name": "premium"},
            "computeMode": "Hybrid",
            "managedResourceGroupId": f"{SUBSCRIPTION}/resourceGroups/training-managed",
            "parameters": {"enableNoPublicIp": {"value": True}},
        },
    ),
    (
        "azure-native:databricks:AccessConnector",
        {**HERE, "connectorName": "lake-access", "identity": {"type": "SystemAssigned"}},
    ),
    ("azure-native:managedidentity:UserAssignedIdentity", {**HERE, "resourceName": "id-pods"}),
    (
        "azure-native:containerservice:ManagedCluster",
        {
            **HERE,
            "resourceName": "aks",
            "dnsPrefix": "personalization",
            "kubernetesVersion": "1.34",
            "identity": {"type": "SystemAssigned"},
            "enableRBAC": True,
            "disableLocalAccounts": True,
            "aadProfile": {"managed": True, "enableAzureRBAC": True},
            "oidcIssuerProfile": {"enabled": True},
            "securityProfile": {"workloadIdentity": {"enabled": True}},
            "networkProfile": {
                "networkPlugin": "azure",
                "networkPluginMode": "overlay",
                "networkDataplane": "cilium",
                "networkPolicy": "cilium",
            },
            "addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": True}},
            "agentPoolProfiles": [
                {
                    "name": "system",
                    "mode": "System",
                    "vmSize": "Standard_D4ds_v5",
                    "osDiskType": "Ephemeral",
                    "osDiskSizeGB": 100,
                    "count": 1,
                }
            ],
        },
    ),
    (
        "azure-native:containerservice:AgentPool",
        {
            **IN_GROUP,
            "resourceName": "aks",
            "agentPoolName": "scoring",
            "mode": "User",
            "vmSize": "Standard_D2ds_v5",
            "count": 2,
            "minCount": 2,
            "maxCount": 4,
            "enableAutoScaling": True,
            "availabilityZones": ["1", "2", "3"],
        },
    ),
    (
        "azure-native:containerservice:MaintenanceConfiguration",
        {
            **IN_GROUP,
            "resourceName": "aks",
            "configName": "aksManagedAutoUpgradeSchedule",
            "maintenanceWindow": {
                "durationHours": 4,
                "startTime": "02:00",
                "schedule": {"weekly": {"dayOfWeek": "Sunday", "intervalWeeks": 1}},
            },
        },
    ),
    (
        "azure-native:monitor:DataCollectionRule",
        {
            **HERE,
            "dataCollectionRuleName": "containers",
            "dataSources": {
                "extensions": [
                    {
                        "name": "ContainerInsights",
                        "extensionName": "ContainerInsights",
                        "streams": ["Microsoft-ContainerInsights-Group-Default"],
                    }
                ]
            },
            "destinations": {"logAnalytics": [{"name": "logs", "workspaceResourceId": LOGS}]},
            "dataFlows": [{"streams": ["Microsoft-ContainerInsights-Group-Default"], "destinations": ["logs"]}],
        },
    ),
    (
        "azure-native:monitor:DataCollectionRuleAssociation",
        {
            "resourceUri": CLUSTER,
            "associationName": "ContainerInsightsExtension",
            "dataCollectionRuleId": f"{INSIGHTS}/dataCollectionRules/containers",
        },
    ),
    (
        "azure-native:managedidentity:FederatedIdentityCredential",
        {
            **IN_GROUP,
            "resourceName": "id-pods",
            "federatedIdentityCredentialResourceName": "scoring",
            "issuer": "https://issuer.example.com/",
            "subject": "system:serviceaccount:scoring:scoring",
            "audiences": ["api://AzureADTokenExchange"],
        },
    ),
    (
        "azure-native:authorization:RoleAssignment",
        {
            "scope": LAKE,
            "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0001",
            "principalId": DEPLOYER,
            "principalType": "User",
            "roleDefinitionId": role(BLOB_CONTRIBUTOR),
        },
    ),
]


def create_all(arm: Arm, until: str | None = None) -> None:
    """Create the examples in order; stop before the first of the type `until`."""
    for kind, inputs in EXAMPLES:
        if kind == until:
            return
        arm.create(kind, inputs)


def example(kind: str) -> dict[str, Any]:
    """The first example of a type."""
    return next(inputs for name, inputs in EXAMPLES if name == kind)
