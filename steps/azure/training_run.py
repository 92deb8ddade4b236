"""Step 2: a run of the training job on Databricks, and the download of its bundle to this machine."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure_clients import credentials
from features.bundle import REPORT
from features.errors import PersonalizationError
from recommend.forgotten import FILE as FORGOTTEN
from steps.azure.azure_step import AzureStep, after_failure
from steps.azure.data_upload import COMPLETE
from steps.azure.databricks_run import JobRuns, RunFailedError, Usable
from steps.azure.stores.azure_registry import AzureRegistry, Entry
from steps.azure.stores.lake import LakeFolder, bring, lake_folder
from steps.azure.stores.placed_data import listing_in, placed_data
from steps.azure.stores.registered_versions import versions_of
from steps.azure.stores.snapshots import LakeSnapshots
from steps.descriptions.training_run import AZURE, AzureInputs, AzureOutputs
from steps.provider.step import Context, Created, State
from steps.shared.dataset_paths import located
from steps.shared.model_versions import Earlier, Version
from steps.shared.run_folder import RESULT, RunFolder, run_id
from steps.shared.volumes import Volume
from training.request import LakeRequest

BUNDLE = "bundle"
"""Folder of a run, in the lake and on this machine."""


class TrainingResultError(PersonalizationError):
    """A run succeeded without a result."""


class TrainingRun(AzureStep[AzureInputs, AzureOutputs]):
    """Trains on Databricks into the folder `runs/<run id>` of the volume `models`; a successful run is reused."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[AzureOutputs]:
        """Train, unless it is done; raises `RunFailedError` with the task's error, or `AzureRefusedError`."""
        registered = {entry.number: entry for entry in AzureRegistry(inputs, context, self._timeout).list()}
        versions = versions_of(list(registered.values()), inputs, context, self._timeout)
        earlier = Earlier.among(versions, inputs.parameters)
        forgotten = LakeSnapshots(inputs, self._timeout, context).forgotten()
        identity = run_id(inputs, earlier, forgotten)
        run = RunFolder(self.folder(inputs.stack), identity)
        lake = LakeFolder(inputs, Volume.MODELS, f"runs/{identity}", self._timeout)
        request = self._request(inputs, earlier, registered, lake, context)
        client = credentials.databricks(inputs.tenant, inputs.databricks_url, inputs.databricks_workspace_id)
        runs = JobRuns(client, context, self._timeout, int(inputs.job_id))
        try:
            with self._unchanged(inputs, context):
                address = runs.succeed(identity, request, _left_result(lake, context))
        except RunFailedError as error:
            raise RunFailedError(f"{error}\n{after_failure('fix the cause')}") from error
        result = run.finished() or self._bring(run, lake, context)
        outputs = run.outputs(result).model_dump()
        return Created(identity, AzureOutputs(**outputs, bundle_url=f"{lake.url}/{BUNDLE}", run_url=address))

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> AzureOutputs:
        """Same model, other location: it does not change."""
        del inputs
        return self.read(identity, old, context) or self.known(old)

    def read(self, identity: str, state: State, context: Context) -> AzureOutputs | None:
        """None if its result is no longer in the lake. Files that are missing on this machine are downloaded again."""
        inputs = self.parse(state)
        lake = LakeFolder(inputs, Volume.MODELS, f"runs/{identity}", self._timeout)
        if lake.read(RESULT, context) is None:
            return None
        run = RunFolder(self.folder(inputs.stack), identity)
        if run.finished() is None:
            self._bring(run, lake, context)
        return super().read(identity, state, context)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the local copy. The files in the lake belong to the registry, whose versions refer to them."""
        del context
        RunFolder(self.folder(state["stack"]), identity).remove(state)

    def _request(
        self,
        inputs: AzureInputs,
        earlier: Earlier,
        registered: Mapping[int, Entry],
        lake: LakeFolder,
        context: Context,
    ) -> LakeRequest:
        """The run into `lake`, with paths on the cluster's machines."""
        raw = LakeFolder(inputs, Volume.RAW, inputs.manifest_hash, self._timeout)

        def bundle(version: Version | None) -> Path | None:
            if version is None:
                return None
            return lake_folder(inputs, registered[version.number].bundle_url, self._timeout).on_cluster(inputs.volumes)

        champion, best = earlier.champion, earlier.best
        snapshots = LakeSnapshots(inputs, self._timeout, context).on_cluster(inputs.volumes)
        return LakeRequest(
            dataset=located(inputs.dataset),
            training=inputs.parameters,
            gate=inputs.gate,
            data=raw.on_cluster(inputs.volumes),
            manifest_hash=inputs.manifest_hash,
            fetch=raw.read(COMPLETE, context) is None,
            champion=bundle(champion),
            champion_version=champion.number if champion else None,
            best=bundle(best),
            best_version=best.number if best else None,
            forgotten=snapshots / FORGOTTEN,
            output=lake.on_cluster(inputs.volumes),
            work=Path(inputs.volumes) / Volume.WORK,
            snapshots=snapshots,
        )

    @contextmanager
    def _unchanged(self, inputs: AzureInputs, context: Context) -> Iterator[None]:
        """Raise `ChangedFileError` before or after the block if a file that the job reads in place is not as listed.

        An error in the block may come from such a change: then it is the cause.
        """
        placed = placed_data(inputs.dataset, inputs.tenant)
        if placed is None:
            yield
            return
        raw = LakeFolder(inputs, Volume.RAW, inputs.manifest_hash, self._timeout)
        listing = listing_in(raw, context)
        placed.require_unchanged(listing)
        try:
            yield
        except RunFailedError:
            placed.require_unchanged(listing)
            raise
        placed.require_unchanged(listing)

    def _bring(self, run: RunFolder, lake: LakeFolder, context: Context) -> dict[str, Any]:
        """Download the result and its bundle, and check the bundle's hash."""
        content = lake.read(RESULT, context)
        if content is None:
            raise TrainingResultError(
                f"The training run succeeded, but {lake.url} contains no {RESULT}. Check that the volume `models` in "
                "Databricks lies on this storage account, then run `up` again."
            )
        result: dict[str, Any] = json.loads(content)
        run.path.mkdir(parents=True, exist_ok=True)
        bundle: Path = run.path / BUNDLE
        bring(lake.below(BUNDLE), bundle, result["bundle_hash"], context)
        result |= {"bundle": str(bundle), "report": str(bundle / REPORT)}
        run.keep(result)
        return result


def _left_result(lake: LakeFolder, context: Context) -> Usable:
    return lambda: lake.read(RESULT, context) is not None
