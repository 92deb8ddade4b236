"""Step 3: registers the candidate as a new version, or selects the version that the settings name."""

from features.bundle import REPORT
from recommend.recommender import METRIC
from steps.descriptions.model_version import LOCAL, LocalInputs, Outputs
from steps.local.registry import LocalRegistry
from steps.local.snapshots import LocalSnapshots
from steps.provider.step import Context, Created, State
from steps.shared.local_step import LocalStep
from steps.shared.model_versions import LATEST, write_example


class ModelVersion(LocalStep[LocalInputs, Outputs]):
    """Registers the candidate. Versions belong to the registry, so deleting this resource deletes none."""

    description = LOCAL

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Register or look up the version, and publish its snapshots once it may serve.

        Raises `GateFailedError` or `NoSuchVersionError`.
        """
        folder = self.folder(inputs.stack)
        registry = LocalRegistry(folder.registry)
        if inputs.requested == LATEST:
            context.report("registering the candidate")
            candidate = registry.register(folder.path / inputs.bundle)
            version, refusal = candidate.instead(registry.list(), registry.bundle(candidate.bundle_hash) / REPORT)
        else:
            version, refusal = registry.get(int(inputs.requested)), ""
        bundle = registry.bundle(version.bundle_hash)
        version.require_accepted(bundle / REPORT)
        if METRIC in version.metrics:
            champion = registry.get_champion()
            output = (folder.path / inputs.bundle).parent if version.bundle_hash == inputs.bundle_hash else None
            LocalSnapshots(folder).publish(bundle, None if champion is None else champion.bundle_hash, output)
        write_example(folder, bundle)
        outputs = Outputs(
            version=version.number,
            served_hash=version.bundle_hash,
            metrics=version.metrics,
            report=folder.relative(bundle / REPORT),
            refusal=refusal,
        )
        return Created(str(version.number), outputs)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the registry or the version's bundle is gone."""
        registry = LocalRegistry(self.folder(state["stack"]).registry)
        kept = registry.exists and registry.bundle(state["served_hash"]).is_dir()
        return super().read(identity, state, context) if kept else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Do nothing: the registry owns its versions."""
