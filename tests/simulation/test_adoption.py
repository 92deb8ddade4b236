"""The product computes the same resource ids as the simulated Azure, so that it adopts what an interrupted `up`
created."""

from typing import Any

import pytest

from tests.simulation.requirements import need_azure_packages

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from personalize.stack.adoption import AZURE_PATHS, identity_of
from tests.simulation.databricks.provider import TYPES as DATABRICKS
from tests.simulation.examples.azure import EXAMPLES
from tests.simulation.examples.databricks import EXAMPLES as OBJECTS
from tests.simulation.services.catalogue import TYPES
from tests.simulation.services.privileges import PERMISSIONS
from tests.simulation.world import DEFAULTS

SUBSCRIPTION = DEFAULTS["subscription"]
OF_NO_STACK = {
    "azure-native:keyvault:Key",
    "azure-native:consumption:Budget",
    "azure-native:resources:ResourceGroup",
}
"""No stack adopts these: `bootstrap` creates them, or an `up` before the engine starts."""
OF_STACKS = [(kind, inputs) for kind, inputs in EXAMPLES if kind not in OF_NO_STACK]
OF_STACKS_IN_DATABRICKS = [(kind, inputs) for kind, inputs in OBJECTS if kind != PERMISSIONS]
"""Permissions are set as a whole, so to create them again only changes them."""


@pytest.fixture(autouse=True)
def _packages() -> None:
    need_azure_packages()


@pytest.mark.parametrize(("kind", "inputs"), OF_STACKS, ids=[kind for kind, _ in OF_STACKS])
def test_the_id_of_a_resource_is_the_path_of_its_names(kind: str, inputs: dict[str, Any]) -> None:
    if TYPES[kind].singleton:
        assert identity_of(kind, inputs, SUBSCRIPTION) is None
    else:
        assert identity_of(kind, inputs, SUBSCRIPTION) == TYPES[kind].identity(inputs, SUBSCRIPTION)


def test_every_type_that_can_be_adopted_is_known() -> None:
    wanted = {kind.partition(":")[2] for kind, found in TYPES.items() if not found.singleton}
    wanted -= {kind.partition(":")[2] for kind in OF_NO_STACK}
    assert wanted == set(AZURE_PATHS)


@pytest.mark.parametrize(("kind", "inputs"), OF_STACKS_IN_DATABRICKS, ids=[kind for kind, _ in OF_STACKS_IN_DATABRICKS])
def test_the_id_of_a_databricks_object_is_its_name_unless_databricks_assigns_a_number(
    kind: str, inputs: dict[str, Any]
) -> None:
    assert identity_of(kind, inputs, SUBSCRIPTION) == DATABRICKS[kind].identity(inputs)


def test_an_unknown_name_gives_no_id() -> None:
    assert identity_of("azure-native:keyvault:Vault", {"resourceGroupName": "rg", "vaultName": None}, "s") is None
    assert identity_of("kubernetes:core/v1:Service", {}, "s") is None
