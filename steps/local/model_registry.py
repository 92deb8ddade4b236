"""The model registry, which owns versions, bundles and images: it is created first in a stack, and deleted last."""

import shutil

from steps.descriptions.model_registry import LOCAL, LocalInputs, Outputs
from steps.local.registry import LocalRegistry
from steps.provider.step import Context, Created, State
from steps.shared.child import end_orphan
from steps.shared.local_step import LocalStep
from steps.shared.model_versions import MODEL


class Registry(LocalStep[LocalInputs, Outputs]):
    """Creates the registry; its deletion also removes what other steps left in the stack's folder."""

    description = LOCAL

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Create the registry, or adopt an existing one."""
        context.report("opening the model registry")
        folder = self.folder(inputs.stack)
        LocalRegistry(folder.registry).create()
        return Created(MODEL, Outputs(registry=MODEL))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the database is gone; raises `RegistryError` if it is damaged."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        if not registry.exists:
            return None
        registry.check()
        return super().read(identity, state, context)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove versions, bundles, images, and leftovers of interrupted uploads and runs, which no other step owns."""
        del identity, context
        folder = self.folder(state["stack"])
        for run in folder.runs.glob("*"):
            end_orphan(run)
        LocalRegistry(folder.registry).delete()
        for remains in (folder.images, folder.runs, folder.lake, folder.snapshots):
            shutil.rmtree(remains, ignore_errors=True)
        folder.example.unlink(missing_ok=True)
