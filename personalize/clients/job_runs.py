"""Runs of jobs in a stack's Databricks workspace."""

from typing import TYPE_CHECKING

from azure_clients import credentials
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of
from personalize.checks.subscription.free_names import DATABRICKS_VERSION

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


def workspace_of(stack: str, settings: AzureSettings) -> "WorkspaceClient | None":
    """A client of the stack's workspace, None if there is none; raises `ManagerRefusedError`."""
    names = names_of(stack, settings)
    group = settings.group_id(names.training_group)
    path = f"{group}/providers/Microsoft.Databricks/workspaces/{names.databricks}"
    workspace = credentials.resource_manager(settings.tenant).get(path, DATABRICKS_VERSION)
    if workspace is None:
        return None
    return credentials.databricks(settings.tenant, f"https://{workspace['properties']['workspaceUrl']}", path)
