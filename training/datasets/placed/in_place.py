"""Datasets in containers that a cluster reads where they are, by volumes of Unity Catalog. Nothing is copied.

A volume covers a folder and not a container, so it is the first folder of an address.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from training.datasets.errors import SpecError
from training.datasets.layout import written_aside
from training.datasets.manifest import Manifest
from training.datasets.placed.address import Address, address_of
from training.datasets.placed.dataset import addresses, planned, write_copy_of
from training.datasets.placed.listing import ChangedFileError, Lake
from training.parameters import Dataset

FOLDER_DIGITS = 8


def covered(dataset: Dataset, manifest: Manifest) -> list[Address]:
    """The folders that volumes must cover, one for each volume; empty unless the data is in containers.

    Raises `SpecError` for data that no volume can cover.
    """
    return sorted({*map(_first_folder, addresses(dataset).values()), *folders_of(manifest)})


def folders_of(manifest: Manifest) -> set[Address]:
    """The first folders of a manifest's files in containers; raises `SpecError` for a file that is in none."""
    places = filter(None, (address_of(file.path) for file in manifest.partitions))
    return {_first_folder(replace(place, path=place.path.rpartition("/")[0])) for place in places}


def volume_of(folder: Address) -> str:
    """The name of the volume that covers a folder, unique in the stack."""
    digits = hashlib.sha256(folder.path.encode()).hexdigest()[:FOLDER_DIGITS]
    return f"data_{folder.account}_{folder.container.replace('-', '_')}_{digits}"


def in_volume(address: Address, volumes: Path) -> Path:
    """The path of an address on a cluster's machines; `volumes` is the folder with the stack's volumes."""
    folder = _first_folder(address)
    return volumes / volume_of(folder) / address.path.removeprefix(folder.path).strip("/")


def write_places(dataset: Dataset, folder: Path, lake: Lake, volumes: Path, *, wanted: str) -> None:
    """Write to `folder` the config by which a cluster reads exactly the listed files where they are.

    Raises `ChangedFileError` if the listing is not the one of the manifest hash `wanted` any more, `SpecError` for a
    file that no volume covers, or what `lake` does. What an interrupted call wrote stays.
    """
    if folder.exists():
        return
    entries = planned(dataset, lake, wanted)
    with written_aside(folder) as aside:
        places = {table: in_volume(address, volumes) for table, address in addresses(dataset).items()}
        write_copy_of(dataset, entries, aside, places)


def require_unchanged(dataset: Dataset, known: Manifest, lake: Lake) -> None:
    """Raise `ChangedFileError` if a file of the manifest has changed or is gone; more files may have come.

    Also raises what `lake` does.
    """
    now = {
        str(Address(address.account, address.container, blob.name)): blob.etag
        for address in set(addresses(dataset).values())
        for blob in lake.files(address)
    }
    if changed := [file.path for file in known.partitions if now.get(file.path) != file.identity]:
        more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        raise ChangedFileError(
            f"{changed[0]}{more} changed, or was deleted, after it was listed. Write new data as new files, and run "
            "`up` again once nobody writes there."
        )


def _first_folder(address: Address) -> Address:
    if not address.path:
        raise SpecError(
            f"Data lies directly in the container of {address}, and Databricks reads data in place by volumes, which "
            "cover a folder of a container. Move the files into a folder, and give the folder's address."
        )
    return replace(address, path=address.path.split("/")[0])
