"""All types of azure-native that the simulation knows, with their rules: here, or in a file of their own."""

import time
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

from tests.simulation.resource_manager.resource_type import GROUP, Call, ResourceType
from tests.simulation.services import authorization, kubernetes, network
from tests.simulation.services.authorization import IDENTITY, system_identity
from tests.simulation.world import Record, RefusedError, key_of

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
VAULT = "azure-native:keyvault:Vault"
REGISTRY = "azure-native:containerregistry:Registry"
MACHINE_LEARNING = "azure-native:machinelearningservices:Workspace"
DATABRICKS = "azure-native:databricks:Workspace"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
ACCOUNT_PATH = GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}"
VAULT_PATH = GROUP + "/providers/Microsoft.KeyVault/vaults/{vaultName}"
IDENTITY_PATH = GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
INSIGHTS = GROUP + "/providers/Microsoft.Insights"


def _note_swept(call: Call) -> None:
    """Note what a group's deletion sweeps away: a program that deletes in the right order leaves nothing in it."""
    inside = [record.id for record in call.world.under(call.id) if record.id != call.id]
    call.world.set("swept", [*call.world.setting("swept"), *inside])


def _account_outputs(call: Call) -> dict[str, Any]:
    endpoints = {service: f"https://{call.name}.{service}.core.windows.net/" for service in ("blob", "dfs")}
    return {"name": call.name, "primaryEndpoints": endpoints}


def _recover_deleted(call: Call) -> None:
    """A deleted vault holds its name, and comes back with its keys and secrets, but without the roles on it.

    Sources: learn.microsoft.com/azure/key-vault/general/key-vault-recovery; the refusals' words are quoted in
    alan-turing-institute/data-safe-haven#2523 and hashicorp/terraform-provider-azurerm#12972.
    """
    deleted = key_of(call.id) in call.world.buried(VAULT)
    recovering = call.input("properties.createMode") == "recover"
    if recovering and not deleted:
        message = f"A soft deleted vault with the given name '{call.name}' does not exist."
        raise RefusedError(404, "SoftDeletedVaultDoesNotExist", message)
    if deleted and not recovering:
        message = "A vault with the same name already exists in deleted state. Either recover or purge it."
        raise RefusedError(409, "ConflictError", message)
    if recovering:
        call.world.recover(call.id, "keys", "secrets")


def _refuse_deleted_workspace(call: Call) -> None:
    """A deleted workspace keeps its name for 14 days unless it's purged."""
    if call.old is None and key_of(call.id) in call.world.buried(MACHINE_LEARNING):
        message = f"A soft-deleted workspace with the same name '{call.name}' exists; recover or purge it."
        raise RefusedError(409, "Conflict", message)


def default_container(workspace: str) -> str:
    """The container that an Azure ML workspace creates in its default storage, named by the workspace's own id."""
    return f"azureml-blobstore-{workspace}"


def _machine_learning_outputs(call: Call) -> dict[str, Any]:
    workspace = call.kept("workspaceId") or str(uuid.uuid4())
    if call.old is None:
        name, now = default_container(workspace), time.time()
        identity = f"{call.input('storageAccount')}/blobServices/default/containers/{name}"
        call.world.put(Record(identity, CONTAINER, {"containerName": name}, {"name": name}, now, now))
    return {"name": call.name, "workspaceId": workspace, **system_identity(call)}


def _databricks_outputs(call: Call) -> dict[str, Any]:
    number = call.kept("workspaceId") or str(10**15 + uuid.uuid4().int % 10**15)
    return {
        "name": call.name,
        "workspaceId": number,
        "workspaceUrl": f"adb-{number}.{zlib.crc32(number.encode()) % 20}.azuredatabricks.net",
        "isUcEnabled": bool(call.world.setting("metastore")),
    }


def _identity_outputs(call: Call) -> dict[str, Any]:
    new = {name: call.kept(name) or str(uuid.uuid4()) for name in ("principalId", "clientId")}
    return {"name": call.name, "tenantId": call.world.setting("tenant"), **new}


OWN_TYPES = [
    ResourceType(
        pulumi_type="azure-native:resources:ResourceGroup",
        model="azure.mgmt.resource.resources.models:ResourceGroup",
        path=GROUP,
        delete_rules=(_note_swept,),
    ),
    ResourceType(
        pulumi_type="azure-native:consumption:Budget",
        model="azure.mgmt.consumption.models:Budget",
        path="/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
    ),
    ResourceType(
        pulumi_type=ACCOUNT,
        model="azure.mgmt.storage.models:StorageAccountCreateParameters",
        path=ACCOUNT_PATH,
        globally_unique=True,
        aliases={
            "enableHttpsTrafficOnly": "supportsHttpsTrafficOnly",
            "networkRuleSet": "networkAcls",
            "enableNfsV3": "isNfsV3Enabled",
        },
        replaces=frozenset({"isHnsEnabled"}),
        seconds=25,
        outputs=_account_outputs,
    ),
    ResourceType(
        pulumi_type=CONTAINER,
        model="azure.mgmt.storage.models:BlobContainer",
        path=ACCOUNT_PATH + "/blobServices/default/containers/{containerName}",
    ),
    ResourceType(
        pulumi_type="azure-native:storage:ManagementPolicy",
        model="azure.mgmt.storage.models:ManagementPolicy",
        path=ACCOUNT_PATH + "/managementPolicies/{managementPolicyName}",
    ),
    ResourceType(
        pulumi_type="azure-native:storage:BlobServiceProperties",
        model="azure.mgmt.storage.models:BlobServiceProperties",
        path=ACCOUNT_PATH + "/blobServices/{blobServicesName}",
        singleton=True,
    ),
    ResourceType(
        pulumi_type=VAULT,
        model="azure.mgmt.keyvault.models:VaultCreateOrUpdateParameters",
        path=VAULT_PATH,
        globally_unique=True,
        seconds=30,
        before_name=_recover_deleted,
        soft_delete_days=7,
    ),
    ResourceType(
        pulumi_type="azure-native:keyvault:Secret",
        model="azure.mgmt.keyvault.models:SecretCreateOrUpdateParameters",
        path=VAULT_PATH + "/secrets/{secretName}",
        no_delete=True,
    ),
    ResourceType(
        pulumi_type="azure-native:keyvault:Key",
        model="azure.mgmt.keyvault.models:KeyCreateParameters",
        path=VAULT_PATH + "/keys/{keyName}",
        no_delete=True,
    ),
    ResourceType(
        pulumi_type=REGISTRY,
        model="azure.mgmt.containerregistry.models:Registry",
        path=GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registryName}",
        globally_unique=True,
        seconds=20,
        outputs=lambda call: {"name": call.name, "loginServer": f"{call.name.lower()}.azurecr.io"},
    ),
    ResourceType(
        pulumi_type=MACHINE_LEARNING,
        model="azure.ai.ml._restclient.arm_ml_service.models:Workspace",
        path=GROUP + "/providers/Microsoft.MachineLearningServices/workspaces/{workspaceName}",
        replaces=frozenset({"storageAccount", "keyVault"}),
        seconds=60,
        rules=(_refuse_deleted_workspace,),
        outputs=_machine_learning_outputs,
        soft_delete_days=14,
    ),
    ResourceType(
        pulumi_type=DATABRICKS,
        model="azure.mgmt.databricks.models:Workspace",
        path=GROUP + "/providers/Microsoft.Databricks/workspaces/{workspaceName}",
        replaces=frozenset({"computeMode", "managedResourceGroupId", "parameters.customVirtualNetworkId"}),
        seconds=180,
        outputs=_databricks_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:databricks:AccessConnector",
        model="azure.mgmt.databricks.models:AccessConnector",
        path=GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
        outputs=lambda call: {"name": call.name, **system_identity(call)},
    ),
    ResourceType(
        pulumi_type=IDENTITY,
        model="azure.mgmt.msi.v2024_11_30.models:Identity",
        path=IDENTITY_PATH,
        outputs=_identity_outputs,
    ),
    ResourceType(
        pulumi_type=CREDENTIAL,
        model="azure.mgmt.msi.v2024_11_30.models:FederatedIdentityCredential",
        path=IDENTITY_PATH + "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
        serial=lambda identity: identity.rpartition("/federatedIdentityCredentials/")[0],
    ),
    ResourceType(
        pulumi_type="azure-native:operationalinsights:Workspace",
        model="azure.mgmt.loganalytics.models:Workspace",
        path=GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
        seconds=40,
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:Component",
        model="azure.mgmt.applicationinsights.v2020_02_02.models:ApplicationInsightsComponent",
        path=INSIGHTS + "/components/{resourceName}",
        aliases={"applicationType": "Application_Type", "flowType": "Flow_Type", "requestSource": "Request_Source"},
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:Workbook",
        model="azure.mgmt.applicationinsights.v2023_06_01.models:Workbook",
        path=INSIGHTS + "/workbooks/{resourceName}",
    ),
    ResourceType(
        pulumi_type="azure-native:applicationinsights:WebTest",
        model="azure.mgmt.applicationinsights.v2022_06_15.models:WebTest",
        path=INSIGHTS + "/webtests/{webTestName}",
        aliases={
            "webTestKind": "properties.Kind",
            "webTestName": "properties.Name",
            "WebTestGeolocation.location": "Id",
        },
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DiagnosticSetting",
        model="azure.mgmt.monitor.v2021_05_01_preview.models:DiagnosticSettingsResource",
        path="/{resourceUri}/providers/microsoft.insights/diagnosticSettings/{name}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:ActionGroup",
        model="azure.mgmt.monitor.v2022_06_01.models:ActionGroupResource",
        path=INSIGHTS + "/actionGroups/{actionGroupName}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:MetricAlert",
        model="azure.mgmt.monitor.v2018_03_01.models:MetricAlertResource",
        path=INSIGHTS + "/metricAlerts/{ruleName}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:ScheduledQueryRule",
        model="azure.mgmt.monitor.v2022_08_01_preview.models:ScheduledQueryRuleResource",
        path=INSIGHTS + "/scheduledQueryRules/{ruleName}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DataCollectionRule",
        model="azure.mgmt.monitor.v2022_06_01.models:DataCollectionRuleResource",
        path=INSIGHTS + "/dataCollectionRules/{dataCollectionRuleName}",
    ),
    ResourceType(
        pulumi_type="azure-native:monitor:DataCollectionRuleAssociation",
        model="azure.mgmt.monitor.v2022_06_01.models:DataCollectionRuleAssociationProxyOnlyResource",
        path="/{resourceUri}/providers/Microsoft.Insights/dataCollectionRuleAssociations/{associationName}",
    ),
]
TYPES: Mapping[str, ResourceType] = {
    kind.pulumi_type: kind for kind in [*OWN_TYPES, *authorization.TYPES, *kubernetes.TYPES, *network.TYPES]
}
