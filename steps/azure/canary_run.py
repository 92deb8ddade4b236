"""A training run on a thousand generated rows, the first use of a new workspace.

It uses everything that training runs use: the job's wheel and libraries, from their volume; the four other volumes,
which every machine writes; the stack's own way to fit; and a champion, with which the job compares a second model.
Before it, a trial model is registered in Azure ML. The serving cluster waits for it, because it costs by the hour.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from azure_clients import credentials
from features.errors import PersonalizationError
from steps.azure.azure_step import AzureStep
from steps.azure.databricks_run import JobRuns, RunFailedError
from steps.azure.stores.lake import LakeFolder
from steps.azure.stores.trial_registration import try_registration
from steps.descriptions.canary_run import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, State
from steps.shared.run_folder import RESULT
from steps.shared.volumes import Volume
from training.parameters import EngineName, SyntheticDataset, TrainingParameters
from training.request import LakeRequest

FOLDER = "canary"
"""In the volumes. A run's files there are removed, unless it failed: then you may want to see them."""
DATASET = SyntheticDataset(rows=1000)
PARAMETERS = TrainingParameters(num_iterations=5, engine=EngineName.SPARK)


class CanaryFailedError(PersonalizationError):
    """The canary run failed, so a training run would fail too."""


class CanaryRun(AzureStep[AzureInputs, Outputs]):
    """Trains on few rows, once for each set of tested values."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Run it; raises `CanaryFailedError` with the task's error, or `AzureRefusedError`."""
        identity = _identity(inputs)
        try_registration(inputs, context, self._timeout)
        raw, models, snapshots = (
            LakeFolder(inputs, volume, f"{FOLDER}/{identity}", self._timeout)
            for volume in (Volume.RAW, Volume.MODELS, Volume.SNAPSHOTS)
        )
        request = LakeRequest(
            dataset=DATASET,
            training=PARAMETERS.model_copy(update={"fit": inputs.fit}),
            data=raw.on_cluster(inputs.volumes),
            manifest_hash=_send(raw, context),
            fetch=False,
            output=models.on_cluster(inputs.volumes),
            work=Path(inputs.volumes) / Volume.WORK,
            snapshots=snapshots.on_cluster(inputs.volumes),
            canary=True,
        )
        client = credentials.databricks(inputs.tenant, inputs.databricks_url, inputs.databricks_workspace_id)
        runs = JobRuns(client, context, self._timeout, int(inputs.job_id), name="canary run")
        try:
            address = runs.succeed(identity, request, lambda: models.read(RESULT, context) is not None)
        except RunFailedError as error:
            raise CanaryFailedError(
                f"{error} The steps after it, such as the serving cluster, were not created or changed. Fix the cause, "
                "then run `up` again."
            ) from error
        if models.read(RESULT, context) is None:
            raise CanaryFailedError(
                f"The canary run {address} succeeded, but {models.url} contains no {RESULT}. Check that the "
                "volume `models` in Databricks lies on this storage account, then run `up` again."
            )
        for folder in (raw, models, snapshots):
            folder.remove(context)
        return Created(identity, Outputs(canary_url=address))

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> Outputs:
        """Same tested values, other location: the result is still valid."""
        del identity, inputs, context
        return self.known(old)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the run left nothing."""


def _identity(inputs: AzureInputs) -> str:
    """16 hexadecimal digits, different for each set of tested values."""
    fields = inputs.model_dump(mode="json", include=set(AZURE.replaced_by))
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def _send(lake: LakeFolder, context: Context) -> str:
    """Upload the rows with the deployer's role, and return the hash of their manifest."""
    # Pandas' modules take longer to import than all other steps together.
    from training.datasets import describe, materialize  # noqa: PLC0415 - see above

    with TemporaryDirectory(prefix="canary-") as temporary:
        rows = Path(temporary) / "rows"
        materialize(DATASET, rows)
        lake.send(rows, context)
    return describe(DATASET).hash
