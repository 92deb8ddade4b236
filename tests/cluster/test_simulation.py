"""The simulated cloud and the control plane together: who may do what, and what goes with the cluster."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import binaries_or_skip
from tests.simulation.azure_native import AzureNative
from tests.simulation.examples import create_all, example
from tests.simulation.fakes.kubernetes_access import CLUSTER_ADMIN
from tests.simulation.fakes.runs import Run, Runs
from tests.simulation.inputs.names import CLUSTER, DEPLOYER, role
from tests.simulation.requirements import need_azure_packages
from tests.simulation.simulation import Simulation
from tests.simulation.tokens import KUBERNETES, MANAGEMENT, issue

pytestmark = pytest.mark.cluster

TIMEOUT_SECONDS = 60.0
ROLE = "azure-native:authorization:RoleAssignment"
AKS = "azure-native:containerservice:ManagedCluster"


def nothing(_: Run) -> str:
    """A job that does nothing."""
    return ""


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Simulation]:
    """The examples, with everything running."""
    need_azure_packages()
    made = Simulation(tmp_path, Runs(nothing), binaries_or_skip())
    try:
        made.start()
        create_all(AzureNative(made.world))
        yield made
    finally:
        made.stop()


def ask(simulation: Simulation, scope: str, path: str, body: dict[str, Any] | None = None) -> int:
    """The API server's status for a call with the deployer's token."""
    assert simulation.plane is not None
    headers = {"Authorization": f"Bearer {issue(simulation.world, DEPLOYER, scope)[0]}"}
    authority = str(simulation.internet.authority.certificate_path.parents[2] / "plane" / "pki" / "ca.crt")
    with httpx.Client(base_url=simulation.plane.server, verify=authority, trust_env=False, headers=headers) as client:
        return (client.post(path, json=body) if body else client.get(path)).status_code


def test_the_api_server_lets_in_by_directory_and_role(simulation: Simulation) -> None:
    namespaces = "/api/v1/namespaces"
    assert ask(simulation, MANAGEMENT, namespaces) == 401
    assert ask(simulation, KUBERNETES, namespaces) == 403
    assignment = example(ROLE) | {
        "scope": CLUSTER,
        "roleDefinitionId": role(CLUSTER_ADMIN),
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0042",
    }
    AzureNative(simulation.world).create(ROLE, assignment)
    time.sleep(1.5)  # the API server remembers answers for a second
    assert ask(simulation, KUBERNETES, namespaces) == 200


def test_what_is_in_a_cluster_goes_with_it_and_is_noted(simulation: Simulation) -> None:
    assert simulation.plane is not None
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "scoring"}}
    simulation.plane.apply("/api/v1/namespaces/scoring", namespace)
    assert "namespace scoring" in simulation.leftovers()
    time.sleep(1.0)
    AzureNative(simulation.world).delete(AKS, CLUSTER)
    until = time.monotonic() + TIMEOUT_SECONDS
    while simulation.plane.get("/api/v1/namespaces/scoring") is not None:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert simulation.world.setting("swept") == ["namespace scoring"]
    assert simulation.aks is not None
    assert simulation.aks.errors == []
    assert simulation.strangers() == []
