"""Waits until the deployer is a member of the new Databricks workspace and Unity Catalog can be used in it.

A workspace responds with 403 for minutes after its creation, and Databricks' provider does not wait.
"""

from collections.abc import Callable

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.errors.base import DatabricksError

from azure_clients import credentials
from azure_clients.retries import Deadline, retried
from features.errors import PersonalizationError
from steps.azure.azure_step import AzureStep
from steps.azure.unity_catalog import PrivilegesMissingError, require_privileges
from steps.descriptions.workspace_ready import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, State


class MetastoreMissingError(PersonalizationError):
    """The workspace has no Unity Catalog."""


class WorkspaceReady(AzureStep[AzureInputs, Outputs]):
    """Outputs the workspace's URL once it can be used."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Wait; raises `AzureRefusedError`, `MetastoreMissingError` or `PrivilegesMissingError`."""
        url = f"https://{inputs.workspace_host}"
        client = credentials.databricks(inputs.tenant, url, inputs.workspace_id)
        retried("join the Databricks workspace", client.current_user.me, context, self._timeout)
        metastore = self._assigned(client, context)
        if metastore is None:
            raise MetastoreMissingError(
                f"The Databricks workspace {url} has no Unity Catalog metastore. Accounts from before November 2023 "
                "get none automatically: an account admin must create one for this region in the account console and "
                "turn on its automatic assignment. Then run `up` again."
            )
        self._wait_for_privileges(lambda: require_privileges(client, metastore), context)
        return Created(inputs.workspace_id, Outputs(url=url, metastore=metastore))

    def _assigned(self, client: WorkspaceClient, context: Context) -> str | None:
        """The workspace's metastore, which may be assigned minutes after the workspace's creation."""
        deadline = Deadline(self._timeout, context)
        while True:
            metastore = retried("read the metastore", lambda: _metastore(client), context, self._timeout)
            if metastore is not None or not deadline.wait("waiting for Unity Catalog's metastore"):
                return metastore

    def _wait_for_privileges(self, require: Callable[[], None], context: Context) -> None:
        """Wait until the workspace's admins have got their privileges, which also takes minutes."""
        deadline = Deadline(self._timeout, context)
        while True:
            try:
                return retried("read the privileges in Unity Catalog", require, context, self._timeout)
            except PrivilegesMissingError:
                if not deadline.wait("waiting for privileges in Unity Catalog"):
                    raise

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the workspace is another resource."""


def _metastore(client: WorkspaceClient) -> str | None:
    try:
        return client.metastores.current().metastore_id
    except NotFound:
        return None
    except DatabricksError as error:
        # For an account without Unity Catalog, the error code is one that the SDK does not know.
        if error.error_code == "METASTORE_DOES_NOT_EXIST":
            return None
        raise
