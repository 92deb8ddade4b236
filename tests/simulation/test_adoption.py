"""The product computes the same resource ids as the simulated Azure, so that it adopts what an interrupted `up`
created."""

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from personalize.stack.interrupted import AZURE_PATHS, identity_of
from tests.simulation.databricks.objects import PERMISSIONS
from tests.simulation.databricks.objects import TYPES as DATABRICKS
from tests.simulation.examples import OBJECTS, RESOURCES
from tests.simulation.services.catalogue import TYPES
from tests.simulation.world import DEFAULTS

SUBSCRIPTION = DEFAULTS["subscription"]
OF_NO_STACK = {"keyvault:Key", "consumption:Budget", "resources:ResourceGroup"}
"""No stack adopts these: `bootstrap` creates them, or an `up` before the engine starts."""


def test_every_type_that_azure_refuses_to_create_again_is_known_by_its_path() -> None:
    paths = {kind.partition(":")[2]: found.path for kind, found in TYPES.items() if not found.singleton}
    assert {kind: path for kind, path in paths.items() if kind not in OF_NO_STACK} == AZURE_PATHS


@pytest.mark.parametrize(("kind", "inputs"), RESOURCES[1:], ids=[kind for kind, _ in RESOURCES[1:]])
def test_the_id_of_a_resource_is_the_path_of_its_names(kind: str, inputs: dict[str, object]) -> None:
    assert identity_of(kind, inputs, SUBSCRIPTION) == TYPES[kind].identity(inputs, SUBSCRIPTION)


@pytest.mark.parametrize(("kind", "inputs"), OBJECTS, ids=[kind for kind, _ in OBJECTS])
def test_the_id_of_a_databricks_object_is_its_name_unless_databricks_assigns_a_number(
    kind: str, inputs: dict[str, object]
) -> None:
    """Permissions are set as a whole, so to create them again only changes them."""
    wanted = None if kind == PERMISSIONS else DATABRICKS[kind].identity(inputs)
    assert identity_of(kind, inputs, SUBSCRIPTION) == wanted


def test_an_unknown_name_gives_no_id() -> None:
    assert identity_of("azure-native:keyvault:Vault", {"resourceGroupName": "rg", "vaultName": None}, "s") is None
    assert identity_of("kubernetes:core/v1:Service", {}, "s") is None
