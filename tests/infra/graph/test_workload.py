"""The service's Kubernetes manifests under mocks: the service understands what they say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("pulumi_kubernetes", reason="needs `uv sync --inexact --extra azure`")

from scoring.settings import parse
from tests.infra.graph.cloud_recorder import PEERED
from tests.infra.graph.workload_program import manifests


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


def test_in_a_private_stack_they_also_reach_its_private_endpoints() -> None:
    """An eighth of the network, the fourth: cluster, two of Databricks, endpoints (`infra.network_ranges`).

    kubernetes.io, "Network Policies": rules add up, so that this one admits what the one for Azure excepts.
    """
    private: dict[str, Any] = {"network": "private", "peered_network": PEERED, "registry_tier": "Premium"}
    found = manifests(snapshots="https://lake/", network_range="10.100.0.0/16", **private)
    *_, lake = found["NetworkPolicy"]["spec"]["egress"]
    assert lake == {"ports": [{"port": 443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.100.96.0/19"}}]}
    assert "egress" not in manifests(**private)["NetworkPolicy"]["spec"]


def test_another_certificate_starts_the_pods_anew() -> None:
    templates = [manifests(certificate_hash=text)["Deployment"]["spec"]["template"] for text in ("one", "two")]
    assert templates[0] != templates[1]
    assert templates[0]["spec"] == templates[1]["spec"]
