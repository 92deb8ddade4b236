"""Step 1: a dataset, copied to where training reads it, in a folder named by its manifest's hash: equal data is copied
once.

On Azure, published datasets are not uploaded from here: the training job downloads them into the same folder. Data in a
container stays there, and the folder only has its listing and its config.
"""

import uuid
from typing import TYPE_CHECKING

from azure_clients.lake import LakeFolder
from azure_clients.resources import Lake
from azure_clients.retries import Context
from azure_clients.volumes import Volume
from steps.datasets import copy_dataset, is_placed, remove_copy, write_places
from steps.folders import claim, owns, release
from steps.step import AzureStep, Created, Kind, Stack, State, Step, StepInputs, StepOutputs
from training.parameters import CriteoDataset, Dataset

if TYPE_CHECKING:
    from training.tables.progress import Reporter


COMPLETE = "_SUCCESS"
"""Written last: the folder contains the whole dataset. Spark ignores names with an underscore."""
OWNER = "_OWNER"
"""Contains which resource may delete the folder: the last one that created or reused it."""


class Inputs(StepInputs):
    """A dataset, and its manifest's hash (64 hexadecimal digits), which changes with the data; and the manifest's
    `versions` of Delta tables, None without any: what was uploaded before there were such tables stays as it is.
    """

    registry: str
    dataset: Dataset
    manifest_hash: str
    versions: dict[str, int] | None = None


class LocalInputs(Inputs, Stack):
    """To the lake folder."""


class AzureInputs(Inputs, Stack, Lake):
    """To the lake; of data in a container that Databricks reads in place, only what describes it."""

    volumes: str
    """The folder with the stack's volumes on the cluster's machines, `/Volumes/...`."""


class Outputs(StepOutputs):
    """The data's location (a path or a URL), its manifest's hash, and the proof of who owns the folder."""

    location: str
    uploaded_hash: str
    claim: str


class DataUploadHere(Step[LocalInputs, Outputs]):
    """Brings a dataset into `lake/raw/<manifest hash>`."""

    kind = Kind.DATA_UPLOAD
    replaced_by = frozenset({"stack", "manifest_hash"})

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Copy, download or generate the dataset; raises `DatasetError` if it doesn't match its manifest."""
        folder = self.folder(inputs.stack)
        target = folder.lake / "raw" / inputs.manifest_hash
        copy_dataset(inputs, target, reporter(context))
        outputs = Outputs(location=folder.relative(target), uploaded_hash=inputs.manifest_hash, claim=claim(target))
        return Created(inputs.manifest_hash, outputs)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the folder is there."""
        return (self.folder(state["stack"]).lake / "raw" / identity).is_dir()

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the dataset's folder, if this resource owns it."""
        target = self.folder(state["stack"]).lake / "raw" / identity
        if owns(target, state["claim"]):
            remove_copy(target)
            release(target)


class DataUploadOnAzure(AzureStep[AzureInputs, Outputs]):
    """Uploads a dataset to the lake's folder `raw/files/<manifest hash>`."""

    kind = Kind.DATA_UPLOAD
    replaced_by = frozenset({"stack", "blob_endpoint", "manifest_hash"})

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Upload what is missing; raises `DatasetError`, `AzureRefusedError`, or `StepCancelledError`."""
        from training.datasets.criteo import SOURCES  # noqa: PLC0415 - takes longer than all other steps together

        lake, dataset = self._lake(inputs, context), inputs.dataset
        fetched_by_job = isinstance(dataset, CriteoDataset) and dataset.path in SOURCES
        if not fetched_by_job and lake.read(COMPLETE) is None:
            self._send(lake, inputs, context)
        owner = uuid.uuid4().hex
        lake.write(OWNER, owner.encode())
        outputs = Outputs(location=lake.url, uploaded_hash=inputs.manifest_hash, claim=owner)
        return Created(inputs.manifest_hash, outputs)

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the folder still has an owner."""
        return self._lake(self.parse(state), context).read(OWNER) is not None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the dataset's folder, unless another resource owns it now."""
        lake = self._lake(self.parse(state), context)
        if lake.read(OWNER) in {None, state["claim"].encode()}:
            lake.remove(OWNER, COMPLETE)

    def _send(self, lake: LakeFolder, inputs: AzureInputs, context: Context) -> None:
        """The local copy is kept until the upload is complete, so that an interrupted one can continue."""
        copy = self.folder(inputs.stack).lake / "raw" / inputs.manifest_hash
        if is_placed(inputs.dataset):
            write_places(inputs, copy)
        else:
            copy_dataset(inputs, copy, reporter(context))
        lake.send(copy)
        lake.write(COMPLETE, inputs.manifest_hash.encode())
        remove_copy(copy)

    def _lake(self, inputs: AzureInputs, context: Context) -> LakeFolder:
        return LakeFolder(inputs, Volume.RAW, inputs.manifest_hash, context)


def reporter(context: Context) -> "Reporter":
    """A callback that reports progress; it raises `StepCancelledError` once the user has interrupted the run."""

    def report(stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
        context.raise_if_cancelled()
        share = f", {done / total:.0%}" if done is not None and total else ""
        context.report(f"{stage}: {detail}{share}")

    return report
