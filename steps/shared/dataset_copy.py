"""A copy of a dataset on this machine: local files are copied, those in Azure Storage fetched."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from steps.descriptions.data_upload import Inputs
from steps.shared.dataset_paths import located

if TYPE_CHECKING:
    from training.datasets.progress import Reporter


def copy_dataset(inputs: Inputs[str], folder: Path, report: "Reporter") -> None:
    """Copy the dataset to `folder`, completely or not at all; raises `DatasetError` if it isn't as planned."""
    # Spark's and pandas' modules take longer to import than all other steps together, and most runs copy nothing.
    from training.datasets import materialize  # noqa: PLC0415 - see above
    from training.datasets.placed.dataset import addresses, fetch  # noqa: PLC0415 - see above

    placed = located(inputs.dataset)
    if addresses(placed):
        from azure_clients.lake_files import AzureLake  # noqa: PLC0415 - only stacks with such data need it

        fetch(placed, folder, AzureLake(), report, wanted=inputs.manifest_hash)
    else:
        materialize(placed, folder, report, versions=inputs.versions, wanted=inputs.manifest_hash)


def remove_copy(folder: Path) -> None:
    """Remove a copy, and what was fetched for it and for no other copy beside it."""
    from training.datasets.placed.dataset import forget_unused  # noqa: PLC0415 - see above

    shutil.rmtree(folder, ignore_errors=True)
    forget_unused(folder.parent)
