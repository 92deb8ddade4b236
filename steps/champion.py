"""The last step: marks the version that serves as the champion, and reports a candidate that the gate rejected.

Later candidates are compared with the champion. A refusal is an output of the step that registers versions, so that
keys and the service follow the settings all the same. Raised here, it fails this `up` and each one after it, without
training, until there is another candidate.
"""

from azure_clients.model_registry import AzureRegistry
from azure_clients.model_versions import GateFailedError, keeping_snapshots
from azure_clients.resources import Lake, MachineLearning
from azure_clients.retries import Context
from azure_clients.snapshots import LakeSnapshots
from steps.registry_here import LocalRegistry
from steps.snapshots_here import LocalSnapshots
from steps.step import AzureStep, Created, Kind, Stack, State, Step, StepInputs, StepOutputs


class Inputs(StepInputs):
    """The version that serves."""

    version: int
    refusal: str
    """Why it is not the candidate, which the gate rejected; else empty."""


class LocalInputs(Inputs, Stack):
    """On this machine."""


class AzureInputs(Inputs, Stack, MachineLearning, Lake):
    """Also the Azure ML workspace, and the lake with the snapshots."""


class Outputs(StepOutputs):
    """The tagged version."""

    champion: int


class ChampionHere(Step[LocalInputs, Outputs]):
    """Sets an alias in the registry."""

    kind = Kind.CHAMPION
    replaced_by = frozenset({"stack"})

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Mark it, and remove the snapshots of versions that need not keep them.

        Raises `GateFailedError` or `NoSuchVersionError`.
        """
        folder = self.folder(inputs.stack)
        return Created(inputs.stack, _mark(inputs, LocalRegistry(folder.registry), LocalSnapshots(folder)))

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether it is still marked; else the next `up` marks it again."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        found = registry.get_champion() if registry.exists else None
        return found is not None and found.number == state["version"]


class ChampionOnAzure(AzureStep[AzureInputs, Outputs]):
    """Sets a tag in the registry."""

    kind = Kind.CHAMPION
    replaced_by = frozenset({"stack", "workspace"})

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Mark it, and remove the snapshots of versions that need not keep them.

        Raises `GateFailedError`, `NoSuchVersionError` or `AzureRefusedError`.
        """
        context.report(f"marking version {inputs.version} as the champion")
        outputs = _mark(inputs, AzureRegistry(inputs, context), LakeSnapshots(inputs, context))
        return Created(inputs.workspace, outputs)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether it is still marked; else the next `up` marks it again."""
        found = AzureRegistry(self.parse(state), context).champion()
        return found is not None and found.number == state["version"]


def _mark(
    inputs: Inputs, registry: LocalRegistry | AzureRegistry, snapshots: LocalSnapshots | LakeSnapshots
) -> Outputs:
    """Mark the version, once only the versions that need them have snapshots."""
    kept = keeping_snapshots(registry.list(), inputs.version)
    if kept is not None:
        snapshots.keep(kept)
    registry.set_champion(inputs.version)
    if inputs.refusal:
        raise GateFailedError(inputs.refusal)
    return Outputs(champion=inputs.version)
