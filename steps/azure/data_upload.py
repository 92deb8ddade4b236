"""Step 1: the dataset in the lake, in a folder named by its manifest's hash, so that equal data is uploaded once.

Published datasets are not uploaded from here: the training job downloads them into the same folder. Data in a container
stays there, and the folder only has its listing and its config.
"""

import uuid

from steps.azure.azure_step import AzureStep
from steps.azure.stores.lake import LakeFolder
from steps.azure.stores.placed_data import placed_data
from steps.descriptions.data_upload import AZURE, AzureInputs, Outputs
from steps.local.data_upload import reporter
from steps.provider.step import Context, Created, State
from steps.shared.dataset_copy import copy_dataset, remove_copy
from steps.shared.volumes import Volume
from training.parameters import CriteoDataset, Dataset

COMPLETE = "_SUCCESS"
"""Written last: the folder contains the whole dataset. Spark ignores names with an underscore."""
OWNER = "_OWNER"
"""Contains which resource may delete the folder: the last one that created or reused it."""


class DataUpload(AzureStep[AzureInputs, Outputs]):
    """Uploads a dataset to the lake's folder `raw/files/<manifest hash>`."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Upload what is missing; raises `DatasetError`, `AzureRefusedError`, or `StepCancelledError`."""
        lake = self._lake(inputs)
        if not _fetched_by_job(inputs.dataset) and lake.read(COMPLETE, context) is None:
            self._send(lake, inputs, context)
        owner = uuid.uuid4().hex
        lake.write(OWNER, owner.encode(), context)
        outputs = Outputs(location=lake.url, uploaded_hash=inputs.manifest_hash, claim=owner)
        return Created(inputs.manifest_hash, outputs)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the folder has no owner any more."""
        known = self._lake(self.parse(state)).read(OWNER, context) is not None
        return super().read(identity, state, context) if known else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the dataset's folder, unless another resource owns it now."""
        del identity
        lake = self._lake(self.parse(state))
        if lake.read(OWNER, context) in {None, state["claim"].encode()}:
            lake.remove(context)

    def _send(self, lake: LakeFolder, inputs: AzureInputs, context: Context) -> None:
        """The local copy is kept until the upload is complete, so that an interrupted one can continue."""
        copy = self.folder(inputs.stack).lake / "raw" / inputs.manifest_hash
        if (placed := placed_data(inputs.dataset, inputs.tenant)) is not None:
            placed.write_places(copy, inputs.volumes, inputs.manifest_hash)
        else:
            copy_dataset(inputs, copy, reporter(context))
        lake.send(copy, context)
        lake.write(COMPLETE, inputs.manifest_hash.encode(), context)
        remove_copy(copy)

    def _lake(self, inputs: AzureInputs) -> LakeFolder:
        return LakeFolder(inputs, Volume.RAW, inputs.manifest_hash, self._timeout)


def _fetched_by_job(dataset: Dataset) -> bool:
    # Its modules take longer to import than all other steps together.
    from training.datasets.published.remote import source_of  # noqa: PLC0415 - see above

    return isinstance(dataset, CriteoDataset) and source_of(dataset.path) is not None
