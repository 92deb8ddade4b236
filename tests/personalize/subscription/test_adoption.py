"""The ID under which an interrupted `up` finds again what Azure or Databricks created, by examples from their pages."""

import re

import pytest

pytest.importorskip("pulumi_azure_native", reason="needs `uv sync --inexact --extra azure`")

from pulumi._types import input_type_types

from personalize.stack.interrupted import AZURE_PATHS, identity_of
from tests.support.azure_native import arguments_of
from tests.support.azure_stack import SUBSCRIPTION

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
IN_GROUP = {"resourceGroupName": "rg"}
EXAMPLES = [
    (
        "azure-native:storage:BlobContainer",
        {**IN_GROUP, "accountName": "lake", "containerName": "raw"},
        f"{GROUP}/providers/Microsoft.Storage/storageAccounts/lake/blobServices/default/containers/raw",
    ),
    (
        "azure-native:authorization:RoleAssignment",
        {"scope": f"{GROUP}/", "roleAssignmentName": "0f1a"},
        f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/0f1a",
    ),
    ("azure-native:keyvault:Vault", {**IN_GROUP, "vaultName": None}, None),
    ("databricks:index/storageCredential:StorageCredential", {"name": "lake"}, "lake"),
    ("databricks:index/externalLocation:ExternalLocation", {"name": "raw"}, "raw"),
    ("databricks:index/catalog:Catalog", {"name": "dev"}, "dev"),
    ("databricks:index/schema:Schema", {"catalogName": "dev", "name": "training"}, "dev.training"),
    (
        "databricks:index/volume:Volume",
        {"catalogName": "dev", "schemaName": "training", "name": "work"},
        "dev.training.work",
    ),
    (
        "databricks:index/grant:Grant",
        {"externalLocation": "raw", "principal": "ada", "privileges": []},
        "external_location/raw/ada",
    ),
    ("databricks:index/job:Job", {"name": "training"}, None),
    ("kubernetes:core/v1:Service", {}, None),
]


@pytest.mark.parametrize(("kind", "inputs", "wanted"), EXAMPLES, ids=[kind for kind, *_ in EXAMPLES])
def test_an_id_is_the_path_of_names_unless_the_service_gives_a_number(
    kind: str, inputs: dict[str, object], wanted: str | None
) -> None:
    assert identity_of(kind, inputs, SUBSCRIPTION) == wanted


@pytest.mark.parametrize("kind", AZURE_PATHS)
def test_the_names_in_a_path_are_inputs(kind: str) -> None:
    names = {*re.findall(r"{(\w+)}", AZURE_PATHS[kind])} - {"subscription"}
    assert names <= input_type_types(arguments_of(kind)).keys()
