"""The model registry, which owns versions, bundles and images: created before the steps that use it, and deleted after
them.

On Azure, the name of a deleted Azure ML workspace stays reserved for 14 days, and Pulumi's Azure provider has no option
against that. So this step deletes the workspace permanently, before the provider's own delete.
"""

import shutil
from functools import partial

from azure_clients import credentials
from azure_clients.model_versions import MODEL
from azure_clients.resources import MachineLearning
from azure_clients.retries import Context, exists, or_none, pause, retried
from steps.child import end_orphan
from steps.registry_here import LocalRegistry
from steps.step import AzureStep, Created, Kind, Stack, State, Step, StepOutputs


class Outputs(StepOutputs):
    """The registered model's name."""

    registry: str


class AzureInputs(Stack, MachineLearning):
    """The stack's name, and its workspace."""


class RegistryHere(Step[Stack, Outputs]):
    """Creates the registry; its deletion also removes what other steps left in the stack's folder."""

    kind = Kind.REGISTRY
    replaced_by = frozenset({"stack"})

    def create(self, inputs: Stack, context: Context) -> Created[Outputs]:
        """Create the registry, or adopt an existing one."""
        context.report("opening the model registry")
        folder = self.folder(inputs.stack)
        LocalRegistry(folder.registry).create()
        return Created(MODEL, Outputs(registry=MODEL))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the database is there; raises `RegistryError` if it is damaged."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        if registry.exists:
            registry.check()
        return registry.exists

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove versions, bundles, images, and leftovers of interrupted uploads and runs, which no other step owns."""
        folder = self.folder(state["stack"])
        for run in folder.runs.glob("*"):
            end_orphan(run)
        LocalRegistry(folder.registry).delete()
        for remains in (folder.images, folder.runs, folder.lake, folder.snapshots):
            shutil.rmtree(remains, ignore_errors=True)
        folder.example.unlink(missing_ok=True)


class RegistryOnAzure(AzureStep[AzureInputs, Outputs]):
    """The models of an Azure ML workspace."""

    kind = Kind.REGISTRY
    replaced_by = frozenset({"stack", "subscription", "resource_group", "workspace"})

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Wait until the workspace responds; raises `AzureRefusedError`."""
        self._look(inputs, context)
        return Created(inputs.workspace, Outputs(registry=MODEL))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the workspace is there."""
        return self._look(self.parse(state), context)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the workspace permanently, and the files of the steps on this machine."""
        inputs = self.parse(state)
        context.report("deleting the Azure ML workspace permanently")
        retried("delete the Azure ML workspace", lambda: self._purge(inputs, context), context)
        folder = self.folder(inputs.stack)
        for remains in (folder.registry, folder.images, folder.runs, folder.lake):
            shutil.rmtree(remains, ignore_errors=True)
        folder.example.unlink(missing_ok=True)

    def _look(self, inputs: MachineLearning, context: Context) -> bool:
        client = credentials.machine_learning(inputs)
        return exists("reach the Azure ML workspace", lambda: client.workspaces.get(inputs.workspace), context)

    def _purge(self, inputs: MachineLearning, context: Context) -> None:
        begin = partial(credentials.machine_learning(inputs).workspaces.begin_delete, inputs.workspace)
        deletion = or_none(lambda: begin(delete_dependent_resources=False, permanently_delete=True))
        if deletion is None:
            return
        while not deletion.done():
            pause(context)
        deletion.result()
