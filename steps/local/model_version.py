"""Step 3: registers the candidate as a new version, or selects the version that the settings name."""

from pathlib import Path

from recommend.recommender import METRIC
from steps.descriptions.model_version import LOCAL, LocalInputs, Outputs
from steps.local.registry import LocalRegistry
from steps.local.snapshots import LocalSnapshots
from steps.provider.step import Context, Created, State
from steps.shared.folders import StackFolder
from steps.shared.local_step import LocalStep
from steps.shared.model_versions import LATEST, Version, write_example


class ModelVersion(LocalStep[LocalInputs, Outputs]):
    """Registers the candidate. Versions belong to the registry, so deleting this resource deletes none."""

    description = LOCAL

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Register or look up the version; raises `GateFailedError` or `NoSuchVersionError`."""
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
        if METRIC in version.metrics:
            champion = registry.get_champion()
            output = (folder.path / inputs.bundle).parent if inputs.requested == LATEST else None
            LocalSnapshots(folder).publish(bundle, None if champion is None else champion.bundle_hash, output)
        write_example(folder, bundle)
        return Created(str(version.number), _outputs(version, report, folder))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the registry or the version's bundle is gone."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        kept = registry.exists and registry.bundle(state["served_hash"]).is_dir()
        return super().read(identity, state, context) if kept else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Do nothing: the registry owns its versions."""


def _outputs(version: Version, report: Path, folder: StackFolder) -> Outputs:
    return Outputs(
        version=version.number,
        served_hash=version.bundle_hash,
        metrics=version.metrics,
        report=folder.relative(report),
    )
