"""Step 3: registers the candidate in Azure ML, or finds the version that the settings request."""

from pathlib import Path

from features.bundle import METADATA, REPORT
from recommend.published import RECORD, decode
from recommend.recommender import METRIC
from steps.azure.azure_step import AzureStep
from steps.azure.stores.azure_registry import AzureRegistry, Entry
from steps.azure.stores.lake import bring, lake_folder
from steps.azure.stores.registered_versions import version_of
from steps.azure.stores.second_region import copy_bundle
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.model_version import AZURE, AzureInputs, AzureOutputs
from steps.local.registry import bundle_folder
from steps.provider.step import Context, Created, State
from steps.shared.model_versions import LATEST, Version, write_example


class ModelVersion(AzureStep[AzureInputs, AzureOutputs]):
    """Registers the candidate. Deleting this resource deletes no version: the registry owns them."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Register or find the version; raises `GateFailedError`, `NoSuchVersionError` or `AzureRefusedError`."""
        folder = self.folder(inputs.stack)
        entry = self._entry(inputs, context)
        kept = bundle_folder(folder.registry, entry.bundle_hash)
        bring(lake_folder(inputs, entry.bundle_url, self._timeout), kept, entry.bundle_hash, context)
        version = version_of(entry, (kept / METADATA).read_bytes())
        self._publish(inputs, version, kept, context)
        version.require_accepted(kept / REPORT)
        if inputs.copy_endpoint:
            second = inputs.model_copy(update={"blob_endpoint": inputs.copy_endpoint})
            copy_bundle(second, version, kept, context, self._timeout)
        write_example(folder, kept)
        outputs = AzureOutputs(
            version=entry.number,
            served_hash=entry.bundle_hash,
            served_url=entry.bundle_url,
            metrics=version.metrics,
            report=folder.relative(kept / REPORT),
        )
        return Created(str(entry.number), outputs)

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> AzureOutputs:
        """Same bundle, other run or location: its version does not change."""
        del identity, inputs, context
        return self.known(old)

    def read(self, identity: str, state: State, context: Context) -> AzureOutputs | None:
        """None if the registry does not have it."""
        registry = AzureRegistry(self.parse(state), context, self._timeout)
        known = any(str(entry.number) == identity for entry in registry.list())
        return super().read(identity, state, context) if known else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the registry owns its versions."""

    def _publish(self, inputs: AzureInputs, version: Version, kept: Path, context: Context) -> None:
        """Give an accepted version its snapshots; what the run of a rejected candidate has made goes."""
        snapshots, made = LakeSnapshots(inputs, self._timeout, context), None
        if inputs.requested == LATEST:
            run = lake_folder(inputs, inputs.bundle_url.rpartition("/")[0], self._timeout)
            record = run.read(RECORD, context)
            made = {} if record is None else decode(record)
        if not version.accepted:
            snapshots.discard(made or {})
        elif METRIC in version.metrics:
            serving = AzureRegistry(inputs, context, self._timeout).champion()
            snapshots.publish(kept, None if serving is None else serving.bundle_hash, made)

    def _entry(self, inputs: AzureInputs, context: Context) -> Entry:
        registry = AzureRegistry(inputs, context, self._timeout)
        if inputs.requested != LATEST:
            return registry.get(int(inputs.requested))
        context.report("registering the candidate in Azure ML")
        lineage = {"data": inputs.data_url, "run": inputs.run_url}
        bundle = self.folder(inputs.stack).path / inputs.bundle
        return registry.register(bundle, inputs.bundle_url, lineage)
