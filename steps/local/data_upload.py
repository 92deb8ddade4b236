"""Step 1: the dataset in the lake folder, named by its manifest's hash, so that equal data is never copied twice."""

import shutil
from typing import TYPE_CHECKING

from steps.provider.step import Context, Created, State
from steps.shared.claim import claim, owns, release
from steps.shared.dataset_paths import located
from steps.shared.inputs import LocalInputs, LocalStep
from training.parameters import Dataset

if TYPE_CHECKING:
    from training.datasets.progress import Reporter


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
        # Spark's and pandas' modules take longer to import than all other steps together, and most runs bring no data.
        from training.datasets import materialize  # noqa: PLC0415

        materialize(located(inputs.dataset), target, reporter(context))
        computed = {
            "location": folder.relative(target),
            "uploaded_hash": inputs.manifest_hash,
            "claim": claim(target),
        }
        return Created(inputs.manifest_hash, computed)

    def read(self, identity: str, state: State, context: Context) -> State | None:
        """Gone when the folder is."""
        folder = self.folder(state["stack"])
        return super().read(identity, state, context) if (folder.lake / "raw" / identity).is_dir() else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the dataset's folder."""
        del context
        target = self.folder(state["stack"]).lake / "raw" / identity
        if owns(target, state["claim"]):
            shutil.rmtree(target, ignore_errors=True)
            release(target)


def reporter(context: Context) -> "Reporter":
    """Shows how far the data is, and stops it once the user interrupts."""

    def report(stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
        context.raise_if_cancelled()
        share = f", {done / total:.0%}" if done is not None and total else ""
        context.report(f"{stage}: {detail}{share}")

    return report
