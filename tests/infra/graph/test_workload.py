"""The service's Kubernetes manifests under mocks."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("pulumi_kubernetes", reason="needs `uv sync --inexact --extra azure`")

from scoring.settings import parse
from tests.infra.graph.cloud_recorder import PEERED
from tests.infra.graph.workload_program import IMAGE, KINDS, manifests


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """The manifests with default settings."""
    return manifests()


def pod(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The Deployment's pod spec."""
    return dict(found["Deployment"]["spec"]["template"]["spec"])


def container(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The pod's only container."""
    (only,) = pod(found)["containers"]
    return dict(only)


def test_there_is_one_object_of_each_kind(found: dict[str, dict[str, Any]]) -> None:
    assert set(found) == set(KINDS.values())


def test_the_image_is_named_by_its_digest(found: dict[str, dict[str, Any]]) -> None:
    assert container(found)["image"] == IMAGE


def test_the_pod_has_no_right_that_it_does_not_need(found: dict[str, dict[str, Any]]) -> None:
    context = container(found)["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert pod(found)["securityContext"]["runAsNonRoot"] is True
    assert pod(found)["automountServiceAccountToken"] is False


def test_the_namespace_enforces_restricted_pods(found: dict[str, dict[str, Any]]) -> None:
    labels = found["Namespace"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_old_version_serves_until_the_new_one_is_ready(found: dict[str, dict[str, Any]]) -> None:
    assert found["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_pod_has_the_time_to_finish_what_it_began(found: dict[str, dict[str, Any]]) -> None:
    leaving = container(found)["lifecycle"]["preStop"]["sleep"]["seconds"]
    arguments = container(found)["args"]
    draining = int(arguments[arguments.index("--drain-seconds") + 1])
    assert leaving + draining < pod(found)["terminationGracePeriodSeconds"]


def test_the_limits_that_a_stack_sets_are_the_pods() -> None:
    found = manifests(scoring={"drain_seconds": 300, "max_queue": 7})
    arguments = container(found)["args"]
    assert arguments[arguments.index("--max-queue") + 1] == "7"
    assert arguments[arguments.index("--drain-seconds") + 1] == "300"
    assert pod(found)["terminationGracePeriodSeconds"] > 300


def test_a_pod_has_as_many_workers_as_its_stack_says() -> None:
    arguments = container(manifests(scoring={"workers": 3}))["args"]
    assert arguments[arguments.index("--workers") + 1] == "3"


def test_how_many_pods_there_are_is_left_to_the_autoscaler(found: dict[str, dict[str, Any]]) -> None:
    assert "replicas" not in found["Deployment"]["spec"]
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]


def test_the_autoscaler_keeps_to_the_settings() -> None:
    scaling = manifests(replicas_min=3, replicas_max=9)["HorizontalPodAutoscaler"]["spec"]
    assert (scaling["minReplicas"], scaling["maxReplicas"]) == (3, 9)


def test_the_service_understands_its_arguments(found: dict[str, dict[str, Any]]) -> None:
    settings = parse(["--bundle", "/model", *container(found)["args"]])
    ports = {port["name"]: port["containerPort"] for port in container(found)["ports"]}
    assert ports == {"https": settings.port, "inside": settings.inside_port}
    assert settings.workers == 1
    assert settings.keys_file == Path("/mnt/secrets/keys")


def test_every_secret_file_that_the_service_reads_is_mounted(found: dict[str, dict[str, Any]]) -> None:
    entries = yaml.safe_load(found["SecretProviderClass"]["spec"]["parameters"]["objects"])["array"]
    mount = next(item for item in container(found)["volumeMounts"] if item["name"] == "secrets")
    mounted = {f"{mount['mountPath']}/{yaml.safe_load(entry)['objectAlias']}" for entry in entries}
    assert mounted == {part for part in container(found)["args"] if part.startswith("/mnt")}


def test_probes_ask_where_no_stranger_can(found: dict[str, dict[str, Any]]) -> None:
    probes = [container(found)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert [(probe["port"], probe["path"]) for probe in probes] == [
        ("inside", "/readyz"),
        ("inside", "/readyz"),
        ("inside", "/healthz"),
    ]
    assert [port["targetPort"] for port in found["Service"]["spec"]["ports"]] == ["https"]


def test_the_pods_call_nobody_and_are_called_on_two_ports(found: dict[str, dict[str, Any]]) -> None:
    """kubernetes.io, "Network Policies": a type without rules admits nothing, a rule without peers admits everybody.

    Every namespace has its name as a label (kubernetes.io, "Labels, Annotations and Taints").
    """
    policy = found["NetworkPolicy"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "egress" not in policy
    assert policy["ingress"] == [
        {"ports": [{"port": 8443, "protocol": "TCP"}]},
        {
            "ports": [{"port": 9090, "protocol": "TCP"}],
            "from": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
                {"namespaceSelector": {"matchLabels": {"personalization/reads-metrics": "true"}}},
            ],
        },
    ]


def test_only_the_sources_that_are_allowed_reach_the_service_where_any_are() -> None:
    assert "loadBalancerSourceRanges" not in manifests()["Service"]["spec"]
    found = manifests(allowed_sources=["203.0.113.0/24", "198.51.100.7/32"])
    assert found["Service"]["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24", "198.51.100.7/32"]


def test_the_availability_test_is_let_in_beside_the_sources_and_nobody_else() -> None:
    """Azure's annotations (cloud-provider-azure, "Azure LoadBalancer"): unlike the field, nodes do not apply them."""
    service = manifests(allowed_sources=["203.0.113.0/24", "198.51.100.7/32"], availability_test=True)["Service"]
    assert "loadBalancerSourceRanges" not in service["spec"]
    prefix = "service.beta.kubernetes.io/azure-allowed"
    given = {name: text for name, text in service["metadata"]["annotations"].items() if name.startswith(prefix)}
    assert given == {
        f"{prefix}-ip-ranges": "203.0.113.0/24,198.51.100.7/32",
        f"{prefix}-service-tags": "ApplicationInsightsAvailability",
    }
    open_to_all = manifests(availability_test=True)["Service"]["metadata"]["annotations"]
    assert not [name for name in open_to_all if name.startswith(prefix)]


def test_pods_that_send_copies_may_reach_the_shadow_and_nothing_else() -> None:
    """kubernetes.io, "Network Policies": a `podSelector` alone is of the policy's own namespace. The port is the pods',
    since Cilium replaces a Service's address by theirs before anything else (github.com/cilium/cilium, issue 21251)."""
    found = manifests(rollout="shadow", candidate_percent=30)
    shadow = found["Service scoring-shadow"]
    assert "type" not in shadow["spec"], "nobody outside reaches it"
    assert found["NetworkPolicy"]["spec"]["egress"] == [
        {
            "ports": [{"port": 8443, "protocol": "TCP"}],
            "to": [{"podSelector": {"matchLabels": shadow["spec"]["selector"]}}],
        }
    ]
    settings = parse(["--bundle", "/model", *container(found)["args"]])
    assert (settings.shadow, settings.shadow_percent) == ("10.0.0.9:443", 30)
    serving = found["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert not shadow["spec"]["selector"].items() <= serving


def test_pods_that_trace_know_where_to_and_may_reach_azure_alone() -> None:
    """`except`: kubernetes.io, "Network Policies"; private ranges: RFC 1918; 169.254.169.254: Microsoft's "Azure
    Instance Metadata Service"; the node's name servers: Microsoft's "Configure LocalDNS"."""
    found = manifests(traces=True, trace_percent=2.5)
    settings = parse(["--bundle", "/model", *container(found)["args"]])
    assert (settings.traces, settings.trace_percent) == (Path("/mnt/secrets/traces"), 2.5)
    test_every_secret_file_that_the_service_reads_is_mounted(found)
    names, azure = found["NetworkPolicy"]["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    on_the_node = {peer["ipBlock"]["cidr"] for peer in names["to"] if "ipBlock" in peer}
    assert on_the_node == {"169.254.10.10/32", "169.254.10.11/32"}
    assert azure["ports"] == [{"port": 443, "protocol": "TCP"}]
    (block,) = [peer["ipBlock"] for peer in azure["to"]]
    refused = [ipaddress.ip_network(text) for text in block["except"]]
    for address in ("10.244.0.5", "10.0.0.1", "169.254.169.254", "192.168.0.1"):
        assert any(ipaddress.ip_address(address) in network for network in refused)
    assert found["Deployment"]["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_pods_that_recommend_fetch_histories_into_a_folder_of_their_own_and_may_reach_azure_alone() -> None:
    address = "https://lakeabc.blob.core.windows.net/snapshots/files/served/abc"
    found = manifests(snapshots=address)
    settings = parse(["--bundle", "/model", *container(found)["args"]])
    assert (settings.snapshots, settings.snapshots_from) == (Path("/snapshots/version"), address)
    (mount,) = [one for one in container(found)["volumeMounts"] if one["mountPath"] == "/snapshots"]
    assert not mount.get("readOnly")
    volumes = {one["name"]: one for one in found["Deployment"]["spec"]["template"]["spec"]["volumes"]}
    assert set(volumes[mount["name"]]) == {"name", "emptyDir"}, "on the node's disk, and gone with the pod"
    assert found["NetworkPolicy"]["spec"]["egress"] == manifests(traces=True)["NetworkPolicy"]["spec"]["egress"]


def test_in_a_private_stack_they_also_reach_its_private_endpoints() -> None:
    """An eighth of the network, the fourth: cluster, two of Databricks, endpoints (`infra.network_ranges`).

    kubernetes.io, "Network Policies": rules add up, so that this one admits what the one for Azure excepts.
    """
    private: dict[str, Any] = {"network": "private", "peered_network": PEERED, "registry_tier": "Premium"}
    found = manifests(snapshots="https://lake/", network_range="10.100.0.0/16", **private)
    *_, lake = found["NetworkPolicy"]["spec"]["egress"]
    assert lake == {"ports": [{"port": 443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.100.96.0/19"}}]}
    assert "egress" not in manifests(**private)["NetworkPolicy"]["spec"]


def test_the_load_balancer_has_a_name_and_reaches_the_pods(found: dict[str, dict[str, Any]]) -> None:
    service = found["Service"]
    assert service["metadata"]["annotations"] == {"service.beta.kubernetes.io/azure-dns-label-name": "score-test"}
    assert service["spec"]["selector"].items() <= found["Deployment"]["spec"]["template"]["metadata"]["labels"].items()


def test_another_certificate_starts_the_pods_anew() -> None:
    templates = [manifests(certificate_hash=text)["Deployment"]["spec"]["template"] for text in ("one", "two")]
    assert templates[0] != templates[1]
    assert templates[0]["spec"] == templates[1]["spec"]
