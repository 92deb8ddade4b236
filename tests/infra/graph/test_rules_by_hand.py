"""Rules that decide what is reached, kept and restarted, written by hand a second time, with the page on each.

The recordings in `tests/infra/wiring` show them, but a recording says only that nothing has changed.
"""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from tests.infra.graph.cloud_recorder import DEPLOYERS, CloudRecorder, run_cloud
from tests.infra.graph.workload_program import manifests
from tests.infra.wiring.page import NARROW, PRIVATE
from tests.infra.wiring.recording import committed, record

SERVING = {"app.kubernetes.io/part-of": "personalization"}
ACCOUNT = "azure-native:storage:StorageAccount"
ROLES = "azure-native:authorization:RoleAssignment"
STABLE = SERVING | {"app.kubernetes.io/name": "scoring"}


@pytest.fixture(scope="module")
def narrow() -> CloudRecorder:
    """Stack `dev` for a few address ranges."""
    return run_cloud(lambda: deploy(committed("dev", **NARROW), "dev"))[0]


@pytest.fixture(scope="module")
def prod() -> CloudRecorder:
    """Stack `prod`, which copies models to a second region and has a node pool for the service."""
    return run_cloud(lambda: deploy(committed("prod"), "prod"))[0]


@pytest.fixture(scope="module")
def private() -> CloudRecorder:
    """Stack `dev` in a private network."""
    return run_cloud(lambda: deploy(committed("dev", **PRIVATE), "dev"))[0]


@pytest.fixture(scope="module")
def pods() -> dict[str, dict[str, Any]]:
    """The manifests with default settings."""
    return manifests()


def container(pods: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (only,) = pods["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(only)


@pytest.mark.parametrize(
    ("probe", "path", "failures"),
    [
        ("startupProbe", "/readyz", 60),
        ("readinessProbe", "/readyz", 2),
        ("livenessProbe", "/healthz", 6),
    ],
)
def test_a_pod_is_probed_at_the_right_route_and_given_up_in_time(
    pods: dict[str, dict[str, Any]], probe: str, path: str, failures: int
) -> None:
    """Five minutes to start, out of the load balancer after ten seconds, restarted after thirty.

    Fields: kubernetes.io, "Configure Liveness, Readiness and Startup Probes"; a probe of `livenessProbe` that asked
    whether the pod is ready would restart pods whose engine starts again.
    """
    found = dict(container(pods)[probe])
    assert found.pop("httpGet") == {"path": path, "port": "inside"}
    assert found == {"periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": failures}


def test_the_first_rollout_may_take_15_minutes_and_later_ones_10() -> None:
    """The first pods wait for the nodes' role, up to ten minutes (learn.microsoft.com, role-based-access-control/
    troubleshooting), then up to five for the next attempt to pull (kubernetes.io, "Images", "ImagePullBackOff").

    An option for the creation comes before the annotation (pulumi/pulumi-kubernetes#672).
    """
    declared = {one.name: one for one in record(committed("dev"), "dev").resources}
    deployment = declared["apps/v1:Deployment deployment"]
    assert deployment.options["timeouts"] == ["900s", "", ""], "create, update, delete"
    assert deployment.inputs["metadata"]["annotations"] == {"pulumi.com/timeoutSeconds": "600"}


def test_each_selector_finds_the_pods_that_it_is_for(pods: dict[str, dict[str, Any]]) -> None:
    """A canary's pods answer clients and are counted by nothing else (kubernetes.io, "Labels and Selectors")."""
    assert pods["Deployment"]["spec"]["selector"] == {"matchLabels": STABLE}
    assert pods["Deployment"]["spec"]["template"]["metadata"]["labels"].items() >= STABLE.items()
    assert pods["Service"]["spec"]["selector"] == SERVING
    assert pods["PodDisruptionBudget"]["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": STABLE}}
    scaled = pods["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scoring"}
    (metric,) = scaled["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert pods["NetworkPolicy"]["spec"]["podSelector"] == {}
    spread = pods["Deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [(one["topologyKey"], one["labelSelector"]) for one in spread] == [
        ("topology.kubernetes.io/zone", {"matchLabels": STABLE}),
        ("kubernetes.io/hostname", {"matchLabels": STABLE}),
    ]


def test_the_lifecycle_rule_cools_raw_data_and_deletes_nothing(narrow: CloudRecorder) -> None:
    """learn.microsoft.com, storage/blobs/lifecycle-management-policy-structure."""
    (policy,) = narrow.of("azure-native:storage:ManagementPolicy")
    (rule,) = policy["policy"]["rules"]
    assert (rule["type"], rule["enabled"]) == ("Lifecycle", True)
    assert rule["definition"]["actions"] == {"baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 30}}}
    filters = rule["definition"]["filters"]
    assert filters["blobTypes"] == ["blockBlob"]
    assert filters["prefixMatch"] == ["raw/"]


def test_deleted_blobs_and_containers_can_be_restored(narrow: CloudRecorder) -> None:
    """learn.microsoft.com, storage/blobs/soft-delete-blob-overview, soft-delete-container-overview: 1 to 365 days."""
    (kept,) = narrow.of("azure-native:storage:BlobServiceProperties")
    for policy in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
        assert kept[policy] == {"enabled": True, "days": 7}


def test_the_api_server_lets_in_the_named_ranges_alone(narrow: CloudRecorder) -> None:
    """learn.microsoft.com, aks/api-server-authorized-ip-ranges: an empty list would admit everybody."""
    (cluster,) = narrow.of("azure-native:containerservice:ManagedCluster")
    access = cluster["apiServerAccessProfile"]
    assert access["authorizedIPRanges"] == ["203.0.113.0/24", "198.51.100.7/32"]


def test_the_service_lets_in_the_named_sources_and_azures_own_test(narrow: CloudRecorder) -> None:
    """cloud-provider-azure.sigs.k8s.io, "LoadBalancer": with service tags, ranges go into an annotation beside them,
    because `loadBalancerSourceRanges` excludes it."""
    (service,) = [one for one in narrow.of("kubernetes:core/v1:Service") if one["spec"]["type"] == "LoadBalancer"]
    prefix = "service.beta.kubernetes.io/azure-allowed-"
    allowed = {name: value for name, value in service["metadata"]["annotations"].items() if name.startswith(prefix)}
    assert allowed == {
        f"{prefix}ip-ranges": "203.0.113.0/24,192.0.2.128/25",
        f"{prefix}service-tags": "ApplicationInsightsAvailability",
    }
    assert "loadBalancerSourceRanges" not in service["spec"]
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["protocol"]) == (443, "https", "TCP")


def test_the_pods_go_to_the_services_own_nodes_and_nothing_else_does(prod: CloudRecorder) -> None:
    """kubernetes.io, "Taints and Tolerations": a pod tolerates a taint of the same key, value and effect; it is the
    selector that keeps the pod off other nodes."""
    (pool,) = prod.of("azure-native:containerservice:AgentPool")
    (deployment,) = prod.of("kubernetes:apps/v1:Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pool["nodeTaints"] == ["personalization/pool=scoring:NoSchedule"]
    assert pool["nodeLabels"] == pod["nodeSelector"] == {"personalization/pool": "scoring"}
    assert pod["tolerations"] == [
        {"key": "personalization/pool", "operator": "Equal", "value": "scoring", "effect": "NoSchedule"}
    ]


def test_models_are_copied_to_an_account_in_a_second_region_that_deployers_write(prod: CloudRecorder) -> None:
    """Regions: learn.microsoft.com, reliability/cross-region-replication-azure, pairs West and North Europe. Role:
    learn.microsoft.com, role-based-access-control/built-in-roles/storage, "Storage Blob Data Contributor"."""
    copy, lake = prod.inputs(ACCOUNT, "models-copy"), prod.inputs(ACCOUNT, "lake")
    assert (lake["location"], copy["location"]) == ("westeurope", "northeurope")
    assert (copy["allowBlobPublicAccess"], copy["allowSharedKeyAccess"]) == (False, False)
    kept = prod.inputs("azure-native:storage:BlobServiceProperties", "models-copy-service")
    assert kept["deleteRetentionPolicy"] == kept["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 7}
    container = prod.inputs("azure-native:storage:BlobContainer", "models-copy-container")
    assert (container["containerName"], container["publicAccess"]) == ("models", "None")
    assert container["accountName"] == kept["accountName"] == copy["accountName"]
    given = [one for one in prod.of(ROLES) if one["scope"].endswith(f"/{copy['accountName']}")]
    assert {one["principalId"] for one in given} == set(DEPLOYERS)
    assert {one["roleDefinitionId"].rpartition("/")[2] for one in given} == {"ba92f5b4-2d11-453d-a403-e96b0029c9fe"}


def test_a_public_stack_s_storage_is_reached_from_everywhere_with_a_token(prod: CloudRecorder) -> None:
    """learn.microsoft.com, storage/common/storage-network-security: `Allow` applies no rule, so that only Microsoft
    Entra ID's tokens protect the data."""
    for account in prod.of(ACCOUNT):
        assert account["networkRuleSet"] == {"defaultAction": "Allow", "bypass": "AzureServices"}
        assert "publicNetworkAccess" not in account
        assert (account["allowSharedKeyAccess"], account["minimumTlsVersion"]) == (False, "TLS1_2")


def test_a_private_stack_lets_azure_ml_by_its_networks_rules(private: CloudRecorder) -> None:
    """Azure ML is a trusted service of learn.microsoft.com's key-vault/general/overview-vnet-service-endpoints,
    container-registry/allow-access-trusted-services and storage/common/storage-network-security-trusted-azure-services.
    """
    (vault,) = private.of("azure-native:keyvault:Vault")
    assert vault["properties"]["networkAcls"] == {"defaultAction": "Deny", "bypass": "AzureServices"}
    (registry,) = private.of("azure-native:containerregistry:Registry")
    assert registry["networkRuleBypassOptions"] == "AzureServices"
    plain = private.inputs(ACCOUNT, "workspace-storage")
    assert plain["networkRuleSet"] == {"defaultAction": "Deny", "bypass": "AzureServices"}
    assert plain["publicNetworkAccess"] == "Disabled"


def test_a_private_cluster_may_change_its_subnets(private: CloudRecorder) -> None:
    """learn.microsoft.com, aks/configure-azure-cni: the cluster's identity needs at least "Network Contributor" on the
    subnet; its ID: role-based-access-control/built-in-roles/networking."""
    given = [one for one in private.of(ROLES) if one["principalId"] == "principal-of-cluster"]
    assert {one["scope"].rpartition("/")[2] for one in given} == {"cluster", "service"}
    assert {one["roleDefinitionId"].rpartition("/")[2] for one in given} == {"4d97b98b-1d4f-4787-a291-c67834d212e7"}
