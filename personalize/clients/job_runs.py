"""Runs of jobs in a stack's Databricks workspace."""

from typing import TYPE_CHECKING

from azure_clients import credentials
from azure_clients.retries import retried
from infra.azure_settings import AzureSettings
from infra.cloud.names import names_of
from personalize.checks.subscription.free_names import DATABRICKS_VERSION
from personalize.clients.azure_models import LOOK
from personalize.errors import StackBusyError
from personalize.terminal.output import say
from steps.provider.step import Context

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


def require_none(stack: str, settings: AzureSettings) -> None:
    """Raise `StackBusyError` while a job runs, or `AzureRefusedError`."""
    client = workspace_of(stack, settings)
    if client is None:
        return

    def running() -> list[str]:
        return [run.run_page_url or str(run.run_id) for run in client.jobs.list_runs(active_only=True)]

    if found := retried("list the runs", running, Context(report=say), LOOK):
        raise StackBusyError(
            f"A job of stack {stack} is running: {found[0]}. Wait for its end or cancel it there, then run this again."
        )
