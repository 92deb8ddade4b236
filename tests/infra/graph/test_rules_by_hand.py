"""Rules that decide what is reached, kept and restarted, written by hand a second time, with the page on each.

The recordings in `tests/infra/wiring` show them, but a recording says only that nothing has changed.
"""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from tests.infra.graph.cloud_recorder import CloudRecorder, run_cloud
from tests.infra.graph.workload_program import manifests
from tests.infra.wiring.page import NARROW
from tests.infra.wiring.recording import committed, record

SERVING = {"app.kubernetes.io/part-of": "personalization"}
STABLE = SERVING | {"app.kubernetes.io/name": "scoring"}


@pytest.fixture(scope="module")
def narrow() -> CloudRecorder:
    """Stack `dev` for a few address ranges."""
    return run_cloud(lambda: deploy(committed("dev", **NARROW), "dev"))[0]


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
