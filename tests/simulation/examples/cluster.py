"""Valid inputs of the cluster, its monitoring and its roles, in creation order."""

from typing import Any

from tests.simulation.examples.names import (
    BLOB_CONTRIBUTOR,
    CLUSTER,
    DEPLOYER,
    HERE,
    IN_GROUP,
    INSIGHTS,
    LAKE,
    LOGS,
    role,
)

CLUSTER_PARTS: list[tuple[str, dict[str, Any]]] = [
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
                "podCidr": "10.244.0.0/16",
                "serviceCidr": "10.0.0.0/16",
                "dnsServiceIP": "10.0.0.10",
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
