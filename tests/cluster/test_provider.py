"""Pulumi's real Kubernetes provider on the real control plane: rolled out, again, changed, failed, destroyed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation

from tests.cluster.conftest import binaries_or_skip
from tests.simulation.azure_native import AzureNative
from tests.simulation.engine import Engine
from tests.simulation.examples import create_all
from tests.simulation.fakes.runs import Run, Runs
from tests.simulation.requirements import need_azure_packages
from tests.simulation.simulation import PROVIDER, Simulation
from tools.toolchain import PulumiMissingError, pulumi_command

pytestmark = [pytest.mark.cluster, pytest.mark.engine]

IMAGE = "registryabc.azurecr.io/scoring@sha256:" + "0" * 64
BROKEN = "registryabc.azurecr.io/scoring@sha256:" + "1" * 64
PODS = "/api/v1/namespaces/scoring/pods"


def nothing(_: Run) -> str:
    """A job that does nothing."""
    return ""


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Simulation]:
    """The examples, with everything running."""
    need_azure_packages()
    binaries = binaries_or_skip()
    if PROVIDER not in binaries:
        pytest.skip(f"needs `python -m tools.control_plane`: {PROVIDER} not built")
    try:
        pulumi_command()
    except PulumiMissingError as error:
        pytest.skip(str(error))
    made = Simulation(tmp_path / "azure", Runs(nothing), binaries)
    try:
        made.start()
        create_all(AzureNative(made.world))
        made.world.set("broken_images", [BROKEN])
        yield made
    finally:
        made.stop()


@pytest.fixture
def settings() -> dict[str, Any]:
    """What a test changes between two deployments."""
    return {"image": IMAGE, "replicas": 2}


@pytest.fixture
def engine(simulation: Simulation, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A stack with a namespace, a Deployment and a Service."""
    assert simulation.plane is not None
    kubeconfig = simulation.plane.kubeconfig.read_text(encoding="utf-8")
    made = Engine(tmp_path / "engine", simulation.environment(), _program(kubeconfig, settings))
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def _program(kubeconfig: str, settings: dict[str, Any]) -> Callable[[], None]:
    labels = {"app": "scoring"}
    context = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }

    def declare() -> None:
        from pulumi_kubernetes import Provider
        from pulumi_kubernetes.apps.v1 import Deployment
        from pulumi_kubernetes.core.v1 import Namespace, Service
        from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

        provider = Provider("cluster", kubeconfig=kubeconfig, enable_server_side_apply=True, cluster_identifier="aks")
        options = pulumi.ResourceOptions(provider=provider)
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        namespace = Namespace("namespace", metadata={"name": "scoring", "labels": restricted}, opts=options)
        inside: dict[str, Any] = {"name": "scoring", "namespace": namespace.metadata["name"]}
        container = {"name": "scoring", "image": settings["image"], "securityContext": context}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec: Any = {"replicas": settings["replicas"], "selector": {"matchLabels": labels}, "template": pod}
        Deployment(
            "deployment",
            metadata=ObjectMetaArgs(**inside, annotations={"pulumi.com/timeoutSeconds": "15"}),
            spec=spec,
            opts=options,
        )
        service = Service(
            "service",
            metadata=ObjectMetaArgs(**inside),
            spec={"type": "LoadBalancer", "selector": labels, "ports": [{"port": 443}]},
            opts=options,
        )
        pulumi.export("address", service.status["load_balancer"]["ingress"][0]["ip"])

    return declare


def test_a_workload_rolls_out_changes_fails_safely_and_goes(
    simulation: Simulation, engine: Engine, settings: dict[str, Any]
) -> None:
    assert simulation.plane is not None
    plane = simulation.plane
    assert engine.up() == {"create": 5}
    assert engine.stack.outputs()["address"].value == "127.0.0.1"
    assert engine.up() == {"same": 5}
    settings["replicas"] = 3
    assert engine.up() == {"same": 4, "update": 1}
    assert engine.up(refresh=True) == {"same": 5}
    settings["image"] = BROKEN
    with pytest.raises(automation.CommandError, match="scoring"):
        engine.up()
    serving = [pod for pod in plane.items(PODS) if pod["spec"]["containers"][0]["image"] == IMAGE]
    assert len(serving) >= 2
    settings["image"] = IMAGE
    engine.up()
    engine.destroy()
    assert plane.get("/api/v1/namespaces/scoring") is None
