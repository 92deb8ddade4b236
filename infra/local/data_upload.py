"""Step 1: the dataset in the lake folder, named by its manifest's hash, so that equal data is never brought twice."""

import shutil
from importlib import import_module
from typing import Any

from infra.local.inputs import LocalInputs, LocalStep
from infra.local.lines import Lines
from infra.provider.step import Context, Created, State
from infra.settings import located
from training.parameters import Dataset


class DataUploadInputs(LocalInputs):
    """A dataset; `manifest_hash` is 64 hexadecimal digits."""

    registry: str
    dataset: Dataset
    manifest_hash: str


class DataUpload(LocalStep[DataUploadInputs]):
    """Brings a dataset into `lake/raw/<manifest hash>`."""

    inputs = DataUploadInputs
    replaced_by = frozenset({"stack", "manifest_hash"})

    def create(self, inputs: DataUploadInputs, context: Context) -> Created:
        """Copy, download or generate the dataset; raises `DatasetError` when it is not what its manifest says."""
        folder = self.folder(inputs.stack)
        target = folder.lake / "raw" / inputs.manifest_hash
        # Imported where they are used: they bring in pandas and Spark, which most runs of the provider never need.
        datasets: Any = import_module("training.datasets")
        progress: Any = import_module("training.progress")
        datasets.materialize(located(inputs.dataset), target, progress.Progress(Lines(context)))
        computed = {"location": folder.relative(target), "uploaded_hash": inputs.manifest_hash}
        return Created(inputs.manifest_hash, computed)

    def read(self, identity: str, state: State) -> State | None:
        """Gone when the folder is."""
        folder = self.folder(state["stack"])
        return super().read(identity, state) if (folder.lake / "raw" / identity).is_dir() else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the dataset's folder."""
        del context
        shutil.rmtree(self.folder(state["stack"]).lake / "raw" / identity, ignore_errors=True)
