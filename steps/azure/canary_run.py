"""A training run on a thousand generated rows, as the first thing that a new workspace does.

It goes the way of every training run: rows from the lake, the job's libraries and wheel, SynapseML on the cluster, the
bundle back into the lake. The cluster that serves waits for it, since that costs by the hour.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from azure_clients import credentials
from features.errors import PersonalizationError
from steps.azure.azure_step import AzureStep
from steps.azure.data_upload import CONTAINER as RAW
from steps.azure.databricks_run import JobRuns, RunFailedError
from steps.azure.stores.lake import MODELS, LakeFolder
from steps.descriptions.canary_run import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, State
from steps.shared.run_folder import RESULT
from training.parameters import EngineName, SyntheticDataset, TrainingParameters
from training.request import LakeRequest

FOLDER = "canary"
"""Of the lake's containers. What a run reads and writes there is removed, unless it failed: then somebody may look."""
DATASET = SyntheticDataset(rows=1000)
PARAMETERS = TrainingParameters(num_iterations=5, engine=EngineName.SPARK)


class CanaryFailedError(PersonalizationError):
    """The small run did not succeed, so that a real one would not either."""


class CanaryRun(AzureStep[AzureInputs, Outputs]):
    """Trains on few rows once for each combination of what is tried."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Run it; raises `CanaryFailedError` with the task's own sentence, or `AzureRefusedError`."""
        identity = _identity(inputs)
        raw, models = (
            LakeFolder(inputs, container, f"{FOLDER}/{identity}", self._timeout) for container in (RAW, MODELS)
        )
        request = LakeRequest(
            dataset=DATASET,
            training=PARAMETERS,
            data=raw.url,
            manifest_hash=_send(raw, context),
            fetch=False,
            output=models.url,
            work=inputs.volume or None,
        )
        client = credentials.databricks(inputs.tenant, inputs.databricks_url, inputs.databricks_workspace_id)
        runs = JobRuns(client, int(inputs.job_id), context, self._timeout, name="canary run")
        try:
            address = runs.succeed(identity, request, lambda: models.read(RESULT, context) is not None)
        except RunFailedError as error:
            raise CanaryFailedError(
                f"{error} What would have followed, the cluster that serves first of all, was not made or changed. "
                "When the cause is mended, run `up` again."
            ) from error
        if models.read(RESULT, context) is None:
            raise CanaryFailedError(
                f"The canary run {address} succeeded, but {models.url} holds no {RESULT}. Look whether the external "
                "location in Databricks leads to this storage account; then run `up` again."
            )
        for folder in (raw, models):
            folder.remove(context)
        return Created(identity, Outputs(canary_url=address))

    def update(self, identity: str, old: State, inputs: AzureInputs, context: Context) -> Outputs:
        """The same run from another place: what it showed stays true."""
        del identity, inputs, context
        return self.known(old)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: it has left nothing."""


def _identity(inputs: AzureInputs) -> str:
    """16 hexadecimal digits that differ when anything does that is tried."""
    fields = inputs.model_dump(mode="json", include=set(AZURE.replaced_by))
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def _send(lake: LakeFolder, context: Context) -> str:
    """Put the rows there, by the deployer's own role; their manifest's hash."""
    # Pandas' modules take longer to import than all other steps together.
    from training.datasets import describe, materialize  # noqa: PLC0415 - see above

    with TemporaryDirectory(prefix="canary-") as temporary:
        rows = Path(temporary) / "rows"
        materialize(DATASET, rows)
        lake.send(rows, context)
    return describe(DATASET).hash
