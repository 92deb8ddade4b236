"""The last step: marks the version that serves as the champion, and reports a candidate that the gate rejected.

Later candidates are compared with the champion. See `steps.local.champion` for what a refusal means.
"""

from steps.azure.azure_step import AzureStep
from steps.azure.stores.azure_registry import AzureRegistry
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.champion import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, State
from steps.shared.model_versions import GateFailedError, keeping_snapshots


class Champion(AzureStep[AzureInputs, Outputs]):
    """Sets a tag in the registry."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Mark it, and remove the snapshots of versions that need not keep them.

        Raises `GateFailedError`, `NoSuchVersionError` or `AzureRefusedError`.
        """
        context.report(f"marking version {inputs.version} as the champion")
        registry = AzureRegistry(inputs, context, self._timeout)
        kept = keeping_snapshots(registry.list(), inputs.version)
        if kept is not None:
            LakeSnapshots(inputs, self._timeout, context).keep(kept)
        registry.set_champion(inputs.version)
        if inputs.refusal:
            raise GateFailedError(inputs.refusal)
        return Created(inputs.workspace, Outputs(champion=inputs.version))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if another version is marked, so that the next `up` marks this one again."""
        found = AzureRegistry(self.parse(state), context, self._timeout).champion()
        marked = found is not None and found.number == state["version"]
        return super().read(identity, state, context) if marked else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the tag is deleted with the registry."""
