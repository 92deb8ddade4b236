"""A dataset where the steps run: its files, a copy of them on this machine, or what is read in place in containers.

The modules that read datasets are imported when one is read: they take longer to import than all steps together, and
most runs read nothing.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import PersonalizationError
from tools.paths import ROOT
from training.parameters import CriteoDataset, Dataset, TablesDataset

if TYPE_CHECKING:
    from azure_clients.lake import LakeFolder
    from steps.data_upload import AzureInputs, Inputs
    from training.datasets.manifest import Manifest
    from training.tables.progress import Reporter


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
        from azure_clients.containers import AzureLake  # noqa: PLC0415 - see the top

        fetch(placed, folder, AzureLake(), report, wanted=inputs.manifest_hash)
    else:
        materialize(placed, folder, report, versions=inputs.versions, wanted=inputs.manifest_hash)


def remove_copy(folder: Path) -> None:
    """Remove a copy, whole or not at all, and what was fetched for it and for no other copy beside it."""
    from training.datasets.placed.dataset import forget_unused  # noqa: PLC0415 - see the top

    deleted = folder.with_name(f".{folder.name}.deleted")
    shutil.rmtree(deleted, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(deleted)
    shutil.rmtree(deleted, ignore_errors=True)
    forget_unused(folder.parent)


def is_placed(dataset: Dataset) -> bool:
    """Whether the dataset is in containers."""
    from training.datasets.placed.dataset import addresses  # noqa: PLC0415 - see the top

    return bool(addresses(located(dataset)))


def write_places(inputs: "AzureInputs", folder: Path) -> None:
    """Write the listing and what the job needs; raises like `training.datasets.placed.dataset.write_places`."""
    from azure_clients.containers import AzureLake  # noqa: PLC0415 - see the top
    from training.datasets.placed import dataset as in_place  # noqa: PLC0415 - see the top

    lake = AzureLake(inputs.tenant)
    in_place.write_places(located(inputs.dataset), folder, lake, Path(inputs.volumes), wanted=inputs.manifest_hash)


def require_unchanged(dataset: Dataset, tenant: str, known: "Manifest") -> None:
    """Raise `ChangedFileError` if a file is not what it was when it was listed, or what listing it raises."""
    from azure_clients.containers import AzureLake  # noqa: PLC0415 - see the top
    from training.datasets.placed import dataset as in_place  # noqa: PLC0415 - see the top

    in_place.require_unchanged(located(dataset), known, AzureLake(tenant))


def listing_in(folder: "LakeFolder") -> "Manifest":
    """The listing that the data step wrote; raises `ListingMissingError` if it is gone."""
    from training.datasets.manifest import RECORD, manifest_in  # noqa: PLC0415 - see the top

    content = folder.read(RECORD)
    if content is None:
        raise ListingMissingError(f"There is no {RECORD} in {folder.url} any more. Run `up --refresh`.")
    return manifest_in(content)
