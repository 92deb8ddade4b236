"""The last step: marks the version that serves as the champion, and reports a candidate that the gate rejected.

A refusal is an output of the step that registers versions, so that keys and the service follow the settings all the
same. Raised here, it fails this `up` and each one after it, without training, until there is another candidate.
"""

from steps.descriptions.champion import LOCAL, LocalInputs, Outputs
from steps.local.registry import LocalRegistry
from steps.local.snapshots import LocalSnapshots
from steps.provider.step import Context, Created, State
from steps.shared.local_step import LocalStep
from steps.shared.model_versions import GateFailedError, keeping_snapshots


class Champion(LocalStep[LocalInputs, Outputs]):
    """Sets an alias in the registry."""

    description = LOCAL

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Mark it, and remove the snapshots of versions that need not keep them.

        Raises `GateFailedError` or `NoSuchVersionError`.
        """
        del context
        folder = self.folder(inputs.stack)
        registry = LocalRegistry(folder.registry)
        kept = keeping_snapshots(registry.list(), inputs.version)
        if kept is not None:
            LocalSnapshots(folder).keep(kept)
        registry.set_champion(inputs.version)
        if inputs.refusal:
            raise GateFailedError(inputs.refusal)
        return Created(inputs.stack, Outputs(champion=inputs.version))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if another version is marked, so that the next `up` marks this one again."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        found = registry.get_champion() if registry.exists else None
        marked = found is not None and found.number == state["version"]
        return super().read(identity, state, context) if marked else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the alias is deleted with the registry."""
