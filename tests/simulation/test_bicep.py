"""Every body that the stacks send matches Microsoft's published type definitions, and not only the models of the
SDKs."""

from typing import Any

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from infra.graph import deploy
from tests.infra.graph.cloud_recorder import run_cloud
from tests.infra.wiring.page import OPTIONS
from tests.infra.wiring.recording import committed
from tests.simulation.examples.azure import example
from tests.simulation.examples.changes import REMOVED, changed
from tests.simulation.models.bicep import VARIABLE, Definitions, checkout
from tests.simulation.models.sent import azure_type, sent
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.catalogue import TYPES

WRONG: list[tuple[str, str, Any]] = [
    ("azure-native:storage:StorageAccount", "isHnsEnabled", "yes"),
    ("azure-native:storage:StorageAccount", "kind", REMOVED),
    ("azure-native:containerservice:ManagedCluster", "networkProfile.networkPlugin", 7),
    ("azure-native:containerservice:ManagedCluster", "agentPoolProfiles.0.count", "1"),
    ("azure-native:monitor:MetricAlert", "criteria.odataType", "Microsoft.Azure.Monitor.Bogus"),
    ("azure-native:monitor:ActionGroup", "groupShortName", "operators-of-it"),
    ("azure-native:machinelearningservices:Workspace", "systemDatastoresAuthMode", 3),
    ("azure-native:authorization:RoleAssignment", "principalId", REMOVED),
    ("azure-native:consumption:Budget", "notifications.actual80.threshold", "80"),
]
"""Unknown enum values are left out: most enums are open in the published types, and the two checks differ there."""


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    """The published ones."""
    folder = checkout()
    if folder is None:
        pytest.skip(f"needs a checkout of github.com/Azure/bicep-types-az, named by {VARIABLE}")
    return Definitions(folder)


@pytest.mark.full
@pytest.mark.parametrize(("stack", "options"), [("dev", {}), ("prod", {}), ("dev", OPTIONS)])
def test_what_a_stack_sends_matches_the_published_types(
    definitions: Definitions, stack: str, options: dict[str, Any]
) -> None:
    recorder, _ = run_cloud(lambda: deploy(committed(stack, **options), stack), stack)
    bodies = [one for one in sent((item.typ, item.inputs) for item in recorder.resources) if "@" in one["type"]]
    assert len(bodies) > 50
    found = {one["type"]: problems for one in bodies if (problems := definitions.problems(one["type"], one["body"]))}
    assert found == {}


@pytest.mark.full
@pytest.mark.parametrize(("kind", "path", "value"), WRONG, ids=lambda part: str(part)[-30:])
def test_both_checks_refuse_a_wrong_body(
    definitions: Definitions, arm: AzureNative, kind: str, path: str, value: Any
) -> None:
    wrong = changed(example(kind), path, value)
    assert arm.problems(kind, wrong)
    (body,) = sent([(kind, wrong)])
    assert definitions.problems(body["type"], body["body"])


def test_types_have_azures_names() -> None:
    named = {azure_type(kind) for kind in TYPES.values()}
    assert {
        "Microsoft.Resources/resourceGroups",
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        "Microsoft.ContainerService/managedClusters/agentPools",
        "Microsoft.Authorization/roleAssignments",
    } <= named
