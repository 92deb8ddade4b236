"""The owner of versions, bundles and images: created before the steps that use it, and deleted after them.

The name of a deleted Azure ML workspace stays reserved for 14 days, and Pulumi's Azure provider has no option against
that. So this step deletes the workspace permanently, before the provider's own delete.
"""

import shutil

from azure.core.exceptions import ResourceNotFoundError

from azure_clients.retries import exists, pause, retried
from steps.azure.azure_step import AzureStep, workspace_client
from steps.descriptions.model_registry import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, State
from steps.shared.model_versions import MODEL


class Registry(AzureStep[AzureInputs, Outputs]):
    """The models of an Azure ML workspace."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Wait until the workspace responds; raises `AzureRefusedError`."""
        self._look(inputs, context)
        return Created(inputs.workspace, Outputs(registry=MODEL))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if there is no workspace."""
        found = self._look(self.parse(state), context)
        return super().read(identity, state, context) if found else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the workspace permanently, and the files of the steps on this machine."""
        del identity
        inputs = self.parse(state)
        context.report("deleting the Azure ML workspace permanently")
        retried("delete the Azure ML workspace", lambda: self._purge(inputs, context), context, self._timeout)
        folder = self.folder(inputs.stack)
        for remains in (folder.registry, folder.images, folder.runs, folder.lake):
            shutil.rmtree(remains, ignore_errors=True)
        folder.example.unlink(missing_ok=True)

    def _look(self, inputs: AzureInputs, context: Context) -> bool:
        client = workspace_client(inputs)
        return exists(
            "reach the Azure ML workspace", lambda: client.workspaces.get(inputs.workspace), context, self._timeout
        )

    def _purge(self, inputs: AzureInputs, context: Context) -> None:
        try:
            deletion = workspace_client(inputs).workspaces.begin_delete(
                inputs.workspace, delete_dependent_resources=False, permanently_delete=True
            )
        except ResourceNotFoundError:
            return
        while not deletion.done():
            pause(self._timeout.pause, context)
        deletion.result()
