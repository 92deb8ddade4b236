"""The rules of the simulated Resource Manager: each refuses an example with one fault, and accepts it without."""

from typing import Any

import pytest

from steps.provider.step import UnknownValue
from tests.simulation.examples.azure import EXAMPLES, create_all, example
from tests.simulation.examples.changes import REMOVED, changed
from tests.simulation.examples.names import GROUP, INSIGHTS, LAKE, SUBSCRIPTION, role
from tests.simulation.examples.network import NETWORK, PARTS
from tests.simulation.models.walker import body_of, shape_of
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.catalogue import TYPES
from tests.simulation.services.network import ENDPOINT, PEERING
from tests.simulation.services.network import NETWORK as NETWORK_TYPE
from tests.simulation.services.private_links import NAMES, ZONE

NATIVE = "azure-native:"
AKS = f"{NATIVE}containerservice:ManagedCluster"
POOL = f"{NATIVE}containerservice:AgentPool"
STORAGE = f"{NATIVE}storage:StorageAccount"
CONTAINER = f"{NATIVE}storage:BlobContainer"
VAULT = f"{NATIVE}keyvault:Vault"
ML = f"{NATIVE}machinelearningservices:Workspace"
DATABRICKS = f"{NATIVE}databricks:Workspace"
ROLE = f"{NATIVE}authorization:RoleAssignment"
FEDERATED = f"{NATIVE}managedidentity:FederatedIdentityCredential"
BUDGET = f"{NATIVE}consumption:Budget"
ALERT = f"{NATIVE}monitor:MetricAlert"
WEB_TEST = f"{NATIVE}applicationinsights:WebTest"
DIAGNOSTIC = f"{NATIVE}monitor:DiagnosticSetting"
REGISTRY = f"{NATIVE}containerregistry:Registry"
NOWHERE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/nowhere"

# Type, path of the field, its wrong value, and Azure's error code.
REFUSED: list[tuple[str, str, Any, str]] = [
    # Known from Microsoft's models.
    (STORAGE, "bogus", 1, "InvalidRequestContent"),
    (STORAGE, "sku.name", "Standard_XRS", "InvalidRequestContent"),
    (STORAGE, "isHnsEnabled", "yes", "InvalidRequestContent"),
    (STORAGE, "kind", REMOVED, "InvalidRequestContent"),
    (STORAGE, "provisioningState", "Succeeded", "InvalidRequestContent"),
    (AKS, "agentPoolProfiles.0.mode", "Systemic", "InvalidRequestContent"),
    (AKS, "agentPoolProfiles.0.size", "x", "InvalidRequestContent"),
    (AKS, "networkProfile.networkPlugin", 7, "InvalidRequestContent"),
    (AKS, "fqdn", "x", "InvalidRequestContent"),
    (ALERT, "criteria.allOf.0.operator", "Above", "InvalidRequestContent"),
    (ALERT, "criteria.odataType", "Microsoft.Azure.Monitor.Bogus", "InvalidRequestContent"),
    (ML, "systemDatastoresAuthMode", 3, "InvalidRequestContent"),
    (ROLE, "principalId", REMOVED, "InvalidRequestContent"),
    (BUDGET, "notifications.actual80.threshold", "80", "InvalidRequestContent"),
    # Names.
    (STORAGE, "accountName", "Lake_abc", "InvalidResourceName"),
    (STORAGE, "accountName", "l" * 25, "InvalidResourceName"),
    (CONTAINER, "containerName", "ra", "InvalidResourceName"),
    (CONTAINER, "containerName", "raw--data", "InvalidResourceName"),
    (VAULT, "vaultName", "1vault", "InvalidResourceName"),
    (VAULT, "vaultName", "v" * 25, "InvalidResourceName"),
    (REGISTRY, "registryName", "registry-abc", "InvalidResourceName"),
    (POOL, "agentPoolName", "scoringpool12", "InvalidResourceName"),
    (POOL, "agentPoolName", "Scoring", "InvalidResourceName"),
    (f"{NATIVE}storage:ManagementPolicy", "managementPolicyName", "cooling", "InvalidResourceName"),
    (f"{NATIVE}storage:BlobServiceProperties", "blobServicesName", "other", "InvalidResourceName"),
    (f"{NATIVE}applicationinsights:Workbook", "resourceName", "scoring", "BadRequest"),
    (f"{NATIVE}monitor:ActionGroup", "groupShortName", "operators-of-it", "InvalidRequestContent"),
    (ROLE, "roleAssignmentName", "lake-contributor", "InvalidRoleAssignmentId"),
    # References to what doesn't exist.
    (STORAGE, "location", "westeuorpe", "LocationNotAvailableForResourceType"),
    (f"{NATIVE}resources:ResourceGroup", "location", "westeuorpe", "LocationNotAvailableForResourceType"),
    (ROLE, "roleDefinitionId", role("4633458b-17de-408a-b874-0445c86b69e7"), "RoleDefinitionDoesNotExist"),
    (STORAGE, "resourceGroupName", "rg-nowhere", "ResourceGroupNotFound"),
    (CONTAINER, "accountName", "nowhere", "ParentResourceNotFound"),
    (DIAGNOSTIC, "resourceUri", NOWHERE, "ParentResourceNotFound"),
    (DIAGNOSTIC, "workspaceId", NOWHERE.replace("storageAccounts", "workspaces"), "LinkedResourceNotFound"),
    (ML, "storageAccount", NOWHERE, "LinkedResourceNotFound"),
    (ROLE, "scope", NOWHERE, "ParentResourceNotFound"),
    (ROLE, "principalId", "99999999-9999-4999-8999-999999999999", "PrincipalNotFound"),
    # Rules of a single service.
    (CONTAINER, "publicAccess", "Blob", "PublicAccessNotPermitted"),
    (f"{NATIVE}storage:BlobServiceProperties", "isVersioningEnabled", True, "FeatureNotSupportedForAccount"),
    (VAULT, "properties.softDeleteRetentionInDays", 3, "BadRequest"),
    (VAULT, "properties.enablePurgeProtection", False, "BadRequest"),
    (VAULT, "properties.tenantId", "99999999-9999-4999-8999-999999999999", "BadRequest"),
    (DIAGNOSTIC, "resourceUri", LAKE, "BadRequest"),
    (DIAGNOSTIC, "logs.0.categoryGroup", "everything", "BadRequest"),
    (DIAGNOSTIC, "logs", [{"category": "AuditEvent", "enabled": True}], "BadRequest"),
    (DIAGNOSTIC, "metrics.0.category", "AllMetrics", "BadRequest"),
    (DIAGNOSTIC, "logs.0.retentionPolicy", {"enabled": True, "days": 7}, "BadRequest"),
    (DIAGNOSTIC, "workspaceId", REMOVED, "BadRequest"),
    (ALERT, "criteria.allOf.0.skipMetricValidation", REMOVED, "BadRequest"),
    (WEB_TEST, "tags", {"stack": "dev"}, "BadRequest"),
    (WEB_TEST, "tags", {f"hidden-link:{NOWHERE}": "Resource"}, "BadRequest"),
    (WEB_TEST, "webTestKind", "ping", "BadRequest"),
    (WEB_TEST, "request", REMOVED, "BadRequest"),
    (WEB_TEST, "request.requestUri", "https://example.com", "InvalidRequestContent"),
    (WEB_TEST, "frequency", 60, "BadRequest"),
    (WEB_TEST, "locations.0.location", "westeurope", "BadRequest"),
    (WEB_TEST, "validationRules.sSLCheck", "no", "InvalidRequestContent"),
    (f"{NATIVE}monitor:ScheduledQueryRule", "skipQueryValidation", REMOVED, "BadArgumentError"),
    (REGISTRY, "zoneRedundancy", "Enabled", "SkuNotSupported"),
    (BUDGET, "timePeriod.startDate", "2020-01-01T00:00:00Z", "BadRequest"),
    (BUDGET, "timePeriod.startDate", "2099-01-15T00:00:00Z", "BadRequest"),
    (BUDGET, "notifications.actual80.contactEmails", [], "BadRequest"),
    (ML, "storageAccount", LAKE, "ValidationError"),
    (ML, "systemDatastoresAuthMode", "AccessKey", "ValidationError"),
    (ML, "keyVault", REMOVED, "ValidationError"),
    (DATABRICKS, "sku.name", "standard", "InvalidSku"),
    (
        DATABRICKS,
        "managedResourceGroupId",
        f"{SUBSCRIPTION}/resourceGroups/{GROUP}",
        "ApplicationManagedResourceGroupExists",
    ),
    (DATABRICKS, "managedResourceGroupId", f"{SUBSCRIPTION}/resourceGroups/training", "BadRequest"),
    (DATABRICKS, "managedResourceGroupId", REMOVED, "ApplicationManagedResourceGroupMissing"),
    (DATABRICKS, "computeMode", "Serverless", "InvalidComputeMode"),
    (AKS, "kubernetesVersion", "1.19", "K8sVersionNotSupported"),
    (AKS, "networkProfile.serviceCidr", "10.244.128.0/17", "ServiceCidrOverlapExistingSubnetsCidr"),
    (AKS, "networkProfile.dnsServiceIP", "10.1.0.10", "DnsServiceIpOutOfServiceCidr"),
    (AKS, "networkProfile.dnsServiceIP", "10.0.0.1", "DnsServiceIpOutOfServiceCidr"),
    (AKS, "aadProfile", REMOVED, "BadRequest"),
    (AKS, "oidcIssuerProfile", REMOVED, "BadRequest"),
    (AKS, "networkProfile.networkDataplane", "azure", "BadRequest"),
    (AKS, "networkProfile.networkPlugin", "kubenet", "BadRequest"),
    (AKS, "agentPoolProfiles.0.mode", "User", "BadRequest"),
    (AKS, "agentPoolProfiles.0.vmSize", "Standard_Z1", "VMSizeNotSupported"),
    (AKS, "agentPoolProfiles.0.osDiskSizeGB", 200, "EphemeralOSDiskNotSupported"),
    (AKS, "agentPoolProfiles.0.count", 26, "ErrCode_InsufficientVCPUQuota"),
    (AKS, "agentPoolProfiles.0.maxPods", 20, "InvalidParameter"),
    (POOL, "maxPods", 9, "InvalidParameter"),
    (POOL, "vmSize", "Standard_D3_v2", "AvailabilityZoneNotSupported"),
    (POOL, "minCount", 5, "InvalidParameter"),
    (POOL, "count", 9, "InvalidParameter"),
    (POOL, "enableAutoScaling", False, "InvalidParameter"),
    (f"{NATIVE}containerservice:MaintenanceConfiguration", "configName", "nightly", "InvalidParameter"),
    (f"{NATIVE}containerservice:MaintenanceConfiguration", "maintenanceWindow.durationHours", 2, "InvalidParameter"),
    (FEDERATED, "issuer", "http://issuer.example.com", "BadRequest"),
    (FEDERATED, "audiences", ["a", "b"], "BadRequest"),
    (ROLE, "principalType", "ServicePrincipal", "UnmatchedPrincipalType"),
    # Networks.
    (NETWORK_TYPE, "subnets.1.addressPrefix", "10.100.0.0/20", "NetcfgSubnetRangesOverlap"),
    (NETWORK_TYPE, "subnets.1.addressPrefix", "10.101.0.0/20", "NetcfgInvalidSubnet"),
    (NETWORK_TYPE, "subnets.1.addressPrefix", "10.100.32.1/19", "InvalidCIDRNotation"),
    (NETWORK_TYPE, "subnets.1.natGateway.id", f"{PARTS}/natGateways/other", "LinkedResourceNotFound"),
    (NETWORK_TYPE, "subnets.1.delegation", "x", "InvalidRequestContent"),
    ("azure-native:network:NatGateway", "publicIpAddresses.0.id", f"{PARTS}/x/nat", "LinkedResourceNotFound"),
    (PEERING, "remoteVirtualNetwork.id", NETWORK, "VnetAddressSpacesOverlap"),
    (ENDPOINT, "privateLinkServiceConnections.0.groupIds", ["blobs"], "PrivateEndpointCannotBeCreatedInvalidGroupId"),
    (ENDPOINT, "privateLinkServiceConnections.0.privateLinkServiceId", f"{LAKE}x", "LinkedResourceNotFound"),
    (ENDPOINT, "subnet.id", f"{NETWORK}/subnets/nowhere", "LinkedResourceNotFound"),
    (ENDPOINT, "subnet.id", f"{NETWORK}/subnets/hosts", "PrivateEndpointCannotBeCreatedInSubnetThatIsDelegated"),
    (NAMES, "privateDnsZoneConfigs", [], "InvalidPrivateDnsZoneIds"),
    (ZONE, "privateZoneName", "one-label", "BadRequest"),
]


def test_every_known_type_has_an_example() -> None:
    assert {kind for kind, _ in EXAMPLES} == set(TYPES)


def test_all_examples_are_accepted_in_their_order(arm: AzureNative) -> None:
    create_all(arm)
    made_by_azure = 1  # the machine learning workspace's container for its assets
    assert len(arm.world.all()) == len(EXAMPLES) + made_by_azure


@pytest.mark.parametrize(("kind", "path", "value", "code"), REFUSED, ids=lambda part: str(part)[-40:])
def test_an_example_with_a_fault_is_refused_and_without_it_accepted(
    arm: AzureNative, kind: str, path: str, value: Any, code: str
) -> None:
    create_all(arm, until=kind)
    with pytest.raises(RefusedError) as refused:
        arm.create(kind, changed(example(kind), path, value))
    assert refused.value.code == code
    arm.create(kind, example(kind))


def test_a_web_test_uses_azures_names_where_pulumis_differ() -> None:
    known = TYPES[WEB_TEST]
    body, unknown = body_of(known.body_inputs(example(WEB_TEST)), shape_of(known.model), known.aliases)
    assert unknown == []
    assert (body["kind"], body["properties"]["Kind"], body["location"]) == ("standard", "standard", "westeurope")
    assert body["properties"]["Name"] == "availability"  # the name in the resource's address, once more
    assert body["properties"]["Locations"] == [{"Id": "emea-nl-ams-azr"}]
    assert body["properties"]["Request"]["RequestUrl"] == "https://example.com/readyz"
    assert body["properties"]["ValidationRules"] == {"ExpectedHttpStatusCode": 200, "SSLCheck": False}


@pytest.mark.parametrize(("kind", "inputs"), EXAMPLES[:1] + EXAMPLES[3:4], ids=lambda part: str(part)[-20:])
def test_an_existing_resource_is_not_created_again(arm: AzureNative, kind: str, inputs: dict[str, Any]) -> None:
    create_all(arm)
    with pytest.raises(RefusedError, match="already exist"):
        arm.create(kind, inputs)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("scopes", [f"{INSIGHTS}/components/insights"]),
        ("criteria.failedLocationCount", 0),
        ("criteria.webTestId", LAKE),
    ],
)
def test_an_alert_on_a_web_test_is_about_the_test_and_its_component(arm: AzureNative, path: str, value: Any) -> None:
    create_all(arm, until=f"{NATIVE}monitor:ScheduledQueryRule")
    (alert,) = [inputs for kind, inputs in EXAMPLES if kind == ALERT and "webTestId" in inputs["criteria"]]
    wrong = changed(alert, path, value) | {"ruleName": "another"}
    with pytest.raises(RefusedError, match=r"scopes of this alert|failedLocationCount"):
        arm.create(ALERT, wrong)


def test_a_global_name_that_is_taken_is_refused(arm: AzureNative) -> None:
    arm.world.set("foreign_names", ["LakeABC"])
    arm.create(*EXAMPLES[0])
    with pytest.raises(RefusedError, match="NameNotAvailable"):
        arm.create(STORAGE, example(STORAGE))


def test_a_provider_that_is_not_registered_is_refused(arm: AzureNative) -> None:
    arm.world.set("registered_providers", ["Microsoft.KeyVault"])
    arm.create(*EXAMPLES[0])
    arm.create(VAULT, example(VAULT))
    with pytest.raises(RefusedError, match="MissingSubscriptionRegistration"):
        arm.create(STORAGE, example(STORAGE))


def test_a_subscription_s_first_days_have_no_budgets(arm: AzureNative) -> None:
    arm.world.set("budgets_allowed", value=False)
    with pytest.raises(RefusedError, match="Cost management data is not supported"):
        arm.create(BUDGET, example(BUDGET))
    arm.world.set("budgets_allowed", value=True)
    arm.create(BUDGET, example(BUDGET))


def test_a_type_that_the_simulation_does_not_know_is_refused(arm: AzureNative) -> None:
    with pytest.raises(RefusedError, match="UnknownType"):
        arm.create("azure-native:network:ApplicationGateway", {})


def test_unknown_values_pass_a_preview(arm: AzureNative) -> None:
    problems = arm.problems(STORAGE, example(STORAGE) | {"location": UnknownValue()})
    assert problems == []


def test_a_caller_that_is_no_deployer_is_refused(arm: AzureNative) -> None:
    arm.world.set("caller", "99999999-9999-4999-8999-999999999999")
    with pytest.raises(RefusedError, match="AuthorizationFailed"):
        arm.create(*EXAMPLES[0])
