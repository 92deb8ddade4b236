"""A dataset in containers as the steps on Azure use it: listed by the deployer, read in place by the job."""

from pathlib import Path
from typing import TYPE_CHECKING

from azure_clients.lake_files import AzureLake
from features.errors import PersonalizationError
from steps.azure.stores.lake import LakeFolder
from steps.provider.step import Context
from steps.shared.dataset_paths import located
from training.parameters import Dataset

if TYPE_CHECKING:
    from training.datasets.manifest import Manifest


class ListingMissingError(PersonalizationError):
    """The lake has no listing of the dataset any more."""


class PlacedData:
    """One dataset; `tenant` is for signing in."""

    def __init__(self, dataset: Dataset, tenant: str) -> None:
        """Makes no request yet."""
        self._dataset, self._lake = located(dataset), AzureLake(tenant)

    def write_places(self, folder: Path, volumes: str, wanted: str) -> None:
        """Write the listing and what the job needs; raises like `training.datasets.placed.in_place.write_places`."""
        from training.datasets.placed.in_place import write_places  # noqa: PLC0415 - see `placed_data`

        write_places(self._dataset, folder, self._lake, Path(volumes), wanted=wanted)

    def require_unchanged(self, known: "Manifest") -> None:
        """Raise `ChangedFileError` if a file is not what it was when it was listed, or what listing it raises."""
        from training.datasets.placed.in_place import require_unchanged  # noqa: PLC0415 - see `placed_data`

        require_unchanged(self._dataset, known, self._lake)


def placed_data(dataset: Dataset, tenant: str) -> PlacedData | None:
    """The dataset, if it is in containers; None for all others."""
    # These modules take longer to import than all other steps together, and most runs need none of them.
    from training.datasets.placed.dataset import addresses  # noqa: PLC0415 - see above

    return PlacedData(dataset, tenant) if addresses(located(dataset)) else None


def listing_in(folder: LakeFolder, context: Context) -> "Manifest":
    """The listing that the data step wrote; raises `ListingMissingError` if it is gone."""
    from training.datasets.manifest import RECORD, manifest_in  # noqa: PLC0415 - see above

    content = folder.read(RECORD, context)
    if content is None:
        raise ListingMissingError(f"There is no {RECORD} in {folder.url} any more. Run `up --refresh`.")
    return manifest_in(content)
