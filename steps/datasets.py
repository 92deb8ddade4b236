"""A dataset where the steps run: its files, a copy of them on this machine, or what is read in place in containers.

The modules that read datasets are imported when one is read: they take longer to import than all steps together, and
most runs read nothing.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import PersonalizationError
from tools.paths import ROOT
from training.parameters import CriteoDataset, Dataset, TablesDataset

if TYPE_CHECKING:
    from steps.data_upload import Inputs
    from steps.lake import LakeFolder
    from steps.step import Context
    from training.datasets.manifest import Manifest
    from training.datasets.progress import Reporter


class ListingMissingError(PersonalizationError):
    """The lake has no listing of the dataset any more."""


def located(dataset: Dataset) -> Dataset:
    """`dataset` with an absolute path; one in a stack file is relative to the repository."""
    match dataset:
        case CriteoDataset(path=path) if "://" not in path and path not in ("sample", "full"):
            return dataset.model_copy(update={"path": str(ROOT / path)})
        case TablesDataset(spec=spec):
            return dataset.model_copy(update={"spec": ROOT / spec})
        case _:
            return dataset


def copy_dataset(inputs: "Inputs", folder: Path, report: "Reporter") -> None:
    """Copy the dataset to `folder`, completely or not at all; raises `DatasetError` if it isn't as planned."""
    from training.datasets import materialize  # noqa: PLC0415 - see the top
    from training.datasets.placed.dataset import addresses, fetch  # noqa: PLC0415 - see the top

    placed = located(inputs.dataset)
    if addresses(placed):
        from azure_clients.lake_files import AzureLake  # noqa: PLC0415 - see the top

        fetch(placed, folder, AzureLake(), report, wanted=inputs.manifest_hash)
    else:
        materialize(placed, folder, report, versions=inputs.versions, wanted=inputs.manifest_hash)


def remove_copy(folder: Path) -> None:
    """Remove a copy, and what was fetched for it and for no other copy beside it."""
    from training.datasets.placed.dataset import forget_unused  # noqa: PLC0415 - see the top

    shutil.rmtree(folder, ignore_errors=True)
    forget_unused(folder.parent)


class PlacedData:
    """One dataset; `tenant` is for signing in."""

    def __init__(self, dataset: Dataset, tenant: str) -> None:
        """Makes no request yet."""
        from azure_clients.lake_files import AzureLake  # noqa: PLC0415 - see the top

        self._dataset, self._lake = located(dataset), AzureLake(tenant)

    def write_places(self, folder: Path, volumes: str, wanted: str) -> None:
        """Write the listing and what the job needs; raises like `training.datasets.placed.in_place.write_places`."""
        from training.datasets.placed.in_place import write_places  # noqa: PLC0415 - see the top

        write_places(self._dataset, folder, self._lake, Path(volumes), wanted=wanted)

    def require_unchanged(self, known: "Manifest") -> None:
        """Raise `ChangedFileError` if a file is not what it was when it was listed, or what listing it raises."""
        from training.datasets.placed.in_place import require_unchanged  # noqa: PLC0415 - see the top

        require_unchanged(self._dataset, known, self._lake)


def placed_data(dataset: Dataset, tenant: str) -> PlacedData | None:
    """The dataset, if it is in containers; None for all others."""
    from training.datasets.placed.dataset import addresses  # noqa: PLC0415 - see the top

    return PlacedData(dataset, tenant) if addresses(located(dataset)) else None


def listing_in(folder: "LakeFolder", context: "Context") -> "Manifest":
    """The listing that the data step wrote; raises `ListingMissingError` if it is gone."""
    from training.datasets.manifest import RECORD, manifest_in  # noqa: PLC0415 - see the top

    content = folder.read(RECORD, context)
    if content is None:
        raise ListingMissingError(f"There is no {RECORD} in {folder.url} any more. Run `up --refresh`.")
    return manifest_in(content)
