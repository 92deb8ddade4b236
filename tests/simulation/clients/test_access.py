"""Who may call the Resource Manager for models, builds, the cluster's credentials and its power: roles decide."""

from collections.abc import Iterator

import pytest
import requests

from tests.simulation.azure_native import AzureNative
from tests.simulation.clients.calls import MANAGER, header
from tests.simulation.inputs.names import CLUSTER, DEPLOYER, GROUP, REGISTRY, SUBSCRIPTION, role
from tests.simulation.published import ROLES
from tests.simulation.services.authorization import TYPE
from tests.simulation.tokens import MANAGEMENT
from tests.simulation.world import DEFAULTS

WORKSPACE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/models"
CALLS = {
    "models": ("GET", f"{WORKSPACE}/models/scoring/versions", WORKSPACE),
    "builds": ("POST", f"{REGISTRY}/listBuildSourceUploadUrl", REGISTRY),
    "credentials": ("POST", f"{CLUSTER}/listClusterUserCredential", CLUSTER),
    "power": ("POST", f"{CLUSTER}/start", CLUSTER),
}


@pytest.fixture
def alone(cloud: AzureNative) -> Iterator[AzureNative]:
    """A deployer with nothing but what a test gives them."""
    cloud.world.set("deployer_roles", [])
    yield cloud
    cloud.world.set("deployer_roles", DEFAULTS["deployer_roles"])


def status(cloud: AzureNative, what: str) -> int:
    """The answer's status."""
    method, path, _ = CALLS[what]
    return requests.request(method, MANAGER + path, headers=header(cloud, MANAGEMENT), timeout=30).status_code


@pytest.mark.parametrize("what", CALLS)
def test_a_deployer_of_the_subscription_may(cloud: AzureNative, what: str) -> None:
    assert status(cloud, what) == 200


@pytest.mark.parametrize("what", CALLS)
def test_nobody_may_without_a_role(alone: AzureNative, what: str) -> None:
    assert status(alone, what) == 403


@pytest.mark.parametrize(
    ("what", "name", "expected"),
    [
        ("models", "AzureML Data Scientist", 200),
        ("models", "Reader", 403),
        ("builds", "Container Registry Tasks Contributor", 200),
        ("builds", "AcrPush", 403),
        ("credentials", "Azure Kubernetes Service Cluster User Role", 200),
        ("credentials", "Azure Kubernetes Service RBAC Cluster Admin", 200),
        ("credentials", "Reader", 403),
        ("power", "Azure Kubernetes Service Cluster User Role", 403),
    ],
)
def test_a_role_lets_do_what_it_is_for(alone: AzureNative, what: str, name: str, expected: int) -> None:
    assignment = {
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0a01",
        "scope": CALLS[what][2],
        "principalId": DEPLOYER,
        "principalType": "User",
        "roleDefinitionId": role(ROLES[name]),
    }
    given = alone.create(TYPE, assignment)
    assert status(alone, what) == expected
    alone.delete(TYPE, given.id)
