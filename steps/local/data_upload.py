"""Step 1: puts the dataset into the lake's folder, named by its manifest's hash so that equal data is copied once."""

from typing import TYPE_CHECKING

from steps.descriptions.data_upload import LOCAL, LocalInputs, Outputs
from steps.provider.step import Context, Created, State
from steps.shared.claim import claim, owns, release
from steps.shared.dataset_copy import copy_dataset, remove_copy
from steps.shared.local_step import LocalStep

if TYPE_CHECKING:
    from training.datasets.progress import Reporter


class DataUpload(LocalStep[LocalInputs, Outputs]):
    """Brings a dataset into `lake/raw/<manifest hash>`."""

    description = LOCAL

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Copy, download or generate the dataset; raises `DatasetError` if it doesn't match its manifest."""
        folder = self.folder(inputs.stack)
        target = folder.lake / "raw" / inputs.manifest_hash
        copy_dataset(inputs, target, reporter(context))
        outputs = Outputs(location=folder.relative(target), uploaded_hash=inputs.manifest_hash, claim=claim(target))
        return Created(inputs.manifest_hash, outputs)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the folder is gone."""
        folder = self.folder(state["stack"])
        return super().read(identity, state, context) if (folder.lake / "raw" / identity).is_dir() else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the dataset's folder, if this resource owns it."""
        del context
        target = self.folder(state["stack"]).lake / "raw" / identity
        if owns(target, state["claim"]):
            remove_copy(target)
            release(target)


def reporter(context: Context) -> "Reporter":
    """A callback that reports progress; it raises `StepCancelledError` once the user has interrupted the run."""

    def report(stage: str, detail: str, *, done: int | None = None, total: int | None = None) -> None:
        context.raise_if_cancelled()
        share = f", {done / total:.0%}" if done is not None and total else ""
        context.report(f"{stage}: {detail}{share}")

    return report
