"""Step 3: registers the candidate in Azure ML, or finds the version that the settings request."""

from pathlib import Path

from azure_clients.retries import AzureRefusedError
from features.bundle import METADATA, REPORT
from recommend.published import RECORD, Published, decode
from recommend.recommender import METRIC
from steps.azure.azure_step import AzureStep, after_failure
from steps.azure.stores.azure_registry import RUN, AzureRegistry, Entry
from steps.azure.stores.lake import bring, lake_folder
from steps.azure.stores.registered_versions import version_of, versions_of
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.model_version import AZURE, AzureInputs, AzureOutputs
from steps.local.registry import bundle_folder
from steps.provider.step import Context, Created, State
from steps.shared.model_versions import LATEST, Version, find, write_example


class ModelVersion(AzureStep[AzureInputs, AzureOutputs]):
    """Registers the candidate. Deleting this resource deletes no version: the registry owns them."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Register or find the version, and publish its snapshots once it may serve.

        Raises `GateFailedError`, `NoSuchVersionError` or `AzureRefusedError`.
        """
        folder = self.folder(inputs.stack)
        registry = AzureRegistry(inputs, context, self._timeout)
        entry, refusal = self._entry(inputs, registry, context)
        version, kept = self._brought(inputs, entry, context)
        version.require_accepted(kept / REPORT)
        if METRIC in version.metrics:
            serving = registry.champion()
            made = self._made(inputs, context) if version.bundle_hash == inputs.bundle_hash else None
            snapshots = LakeSnapshots(inputs, self._timeout, context)
            snapshots.publish(kept, None if serving is None else serving.bundle_hash, made)
        write_example(folder, kept)
        outputs = AzureOutputs(
            version=entry.number,
            served_hash=entry.bundle_hash,
            served_url=entry.bundle_url,
            metrics=version.metrics,
            report=folder.relative(kept / REPORT),
            refusal=refusal,
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

    def _entry(self, inputs: AzureInputs, registry: AzureRegistry, context: Context) -> tuple[Entry, str]:
        """The version to serve, and why it is not the candidate."""
        if inputs.requested != LATEST:
            return registry.get(int(inputs.requested)), ""
        context.report("registering the candidate in Azure ML")
        lineage = {"data": inputs.data_url, RUN: inputs.run_url}
        try:
            entry = registry.register(self.folder(inputs.stack).path / inputs.bundle, inputs.bundle_url, lineage)
        except AzureRefusedError as error:
            cause = f"correct what the message names in the Azure ML workspace {inputs.workspace}"
            raise AzureRefusedError(f"{error}\n{after_failure(cause)}") from error
        candidate, kept = self._brought(inputs, entry, context)
        if candidate.accepted:
            return entry, ""
        LakeSnapshots(inputs, self._timeout, context).discard(self._made(inputs, context))
        entries = registry.list()
        version, refusal = candidate.instead(versions_of(entries, inputs, context, self._timeout), kept / REPORT)
        return find(entries, version.number), refusal

    def _brought(self, inputs: AzureInputs, entry: Entry, context: Context) -> tuple[Version, Path]:
        """A version with its bundle on this machine, which is checked."""
        kept = bundle_folder(self.folder(inputs.stack).registry, entry.bundle_hash)
        bring(lake_folder(inputs, entry.bundle_url, self._timeout), kept, entry.bundle_hash, context)
        return version_of(entry, (kept / METADATA).read_bytes()), kept

    def _made(self, inputs: AzureInputs, context: Context) -> Published:
        """The snapshots that the candidate's run has made."""
        run = lake_folder(inputs, inputs.bundle_url.rpartition("/")[0], self._timeout)
        record = run.read(RECORD, context)
        return {} if record is None else decode(record)
