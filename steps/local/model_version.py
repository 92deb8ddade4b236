"""Step 3: a number for the candidate, or the number that the settings ask for."""

from pathlib import Path

from steps.local.registry import LocalRegistry
from steps.provider.step import Context, Created, State
from steps.shared.example import write_example
from steps.shared.folders import StackFolder
from steps.shared.inputs import LocalInputs, LocalStep
from steps.shared.model_versions import LATEST, Version


class ModelVersionInputs(LocalInputs):
    """A candidate's bundle, and `latest` for it or the number of an older version."""

    registry: str
    bundle: str
    bundle_hash: str
    requested: str


class ModelVersion(LocalStep[ModelVersionInputs]):
    """Registers the candidate. Versions belong to the registry, so deleting this resource deletes none."""

    inputs = ModelVersionInputs
    replaced_by = frozenset({"stack", "bundle_hash", "requested"})

    def create(self, inputs: ModelVersionInputs, context: Context) -> Created:
        """Register or find the version; raises `GateFailedError` or `NoSuchVersionError`."""
        folder = self.folder(inputs.stack)
        registry = LocalRegistry(folder.registry)
        if inputs.requested == LATEST:
            context.report("registering the candidate")
            version = registry.register(folder.path / inputs.bundle)
        else:
            version = registry.get(int(inputs.requested))
        bundle = registry.bundle(version.bundle_hash)
        report = bundle / "report.html"
        version.require_accepted(report)
        write_example(folder, bundle)
        return Created(str(version.number), _computed(version, report, folder))

    def read(self, identity: str, state: State, context: Context) -> State | None:
        """Gone with the registry or with its bundle."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        kept = registry.exists and registry.bundle(state["served_hash"]).is_dir()
        return super().read(identity, state, context) if kept else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the registry owns its versions."""


def _computed(version: Version, report: Path, folder: StackFolder) -> State:
    return {
        "version": version.number,
        "served_hash": version.bundle_hash,
        "metrics": version.metrics,
        "report": folder.relative(report),
    }
