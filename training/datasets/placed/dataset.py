"""A dataset in containers: its identity is the listing. A stack on this machine fetches its files; a cluster reads them
where they are, by volumes of Unity Catalog, which cover a folder and not a container: the first folder of an address.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from features import files
from training.config import Source, meaning
from training.datasets.configs import config_of
from training.datasets.criteo import latest, natural
from training.datasets.manifest import File, Manifest, manifest, write_record, written_aside
from training.datasets.placed.listing import Address, Blob, ChangedFileError, Lake, address_of, listed
from training.datasets.tables import load_copy, write_config
from training.errors import DatasetError, SpecError
from training.parameters import CriteoDataset, Dataset
from training.tables.columns import table_rules
from training.tables.files import SUFFIXES, latest_days, listed_suffixes, suffix
from training.tables.progress import STAGE, Reporter
from training.tables.quick import look_at

FETCHED = ".fetched"
"""Beside the copies of datasets: files by address and ETag, to which the copies are hard links."""


@dataclass(frozen=True)
class Entry:
    """A file of a `table`; the address that the config gives, and the file's name below that."""

    table: str
    address: Address
    name: str
    blob: Blob

    @property
    def whole(self) -> Address:
        """The file's own address."""
        return Address(self.address.account, self.address.container, self.blob.name)

    @property
    def file(self) -> File:
        """For the manifest."""
        return File(partition=self.table, path=str(self.whole), size=self.blob.size, identity=self.blob.etag)


def addresses(dataset: Dataset) -> Mapping[str, Address]:
    """The addresses in a dataset's config, by table; empty if its files are local, generated or downloaded.

    Raises `SpecError` for an address that no file can have, and if some tables are local and others are not.
    """
    given = {table: _address(source) for table, source in config_of(dataset).sources.items()}
    found = {table: address for table, address in given.items() if address is not None}
    if found and len(found) < len(given):
        raise SpecError(
            "The tables of a dataset are all in Azure Storage or all local, but the table of "
            f"{' and '.join(sorted(given.keys() - found.keys()))} is local. Upload it, and give its address."
        )
    return found


def _address(source: Source) -> Address | None:
    """The address that a table's path is; None for local ones."""
    found = [address_of(str(path)) for path in source.paths]
    if len(found) > 1 and any(found):
        raise SpecError(
            f"A table in Azure Storage is one file or folder, but {source.shown} are named. Give one address."
        )
    return found[0]


def describe(dataset: Dataset, lake: Lake) -> Manifest:
    """The manifest, whose identity is the listing: names, sizes and ETags. Reads no file; raises like `listed`."""
    return manifest_of(dataset, _entries(dataset, lake))


def fetch(dataset: Dataset, folder: Path, lake: Lake, report: Reporter, *, wanted: str) -> None:
    """Download to `folder` the files that no earlier fetch left beside it, and check tables quickly; once.

    Raises `ChangedFileError` if the listing is not the one of the manifest hash `wanted` any more, a `DatasetError` for
    wrong tables, or what `lake` does. What was fetched is kept for the next attempt.
    """
    if folder.exists():
        return
    entries = planned(dataset, lake, wanted)
    total, done = sum(entry.blob.size for entry in entries), 0
    tables = config_of(dataset).sources

    def on_bytes(size: int) -> None:
        nonlocal done
        done += size
        report(STAGE, f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB fetched", done=done, total=total)

    with written_aside(folder) as aside:
        places = {entry.table: _place(entry, tables[entry.table]) for entry in entries}
        for entry in entries:
            target = aside / places[entry.table] / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(_fetched(folder.parent / FETCHED, entry, lake, on_bytes), target)
        write_copy_of(dataset, entries, aside, places)
        _check(aside, addresses(dataset))


def _place(entry: Entry, source: Source) -> Path:
    """Where a copy has the entry's table: a folder, or the only file."""
    return Path(entry.table + ("" if entry.name else suffix(Path(entry.address.name), source.separator)))


def forget_unused(copies: Path) -> None:
    """Remove the fetched files to which no copy of a dataset in `copies` is a link any more."""
    for file in (copies / FETCHED).glob("*"):
        if file.stat().st_nlink == 1:
            file.unlink()


def planned(dataset: Dataset, lake: Lake, wanted: str) -> Sequence[Entry]:
    """The dataset's files; raises `ChangedFileError` if the manifest hash is not `wanted`, or what `listed` raises."""
    entries = _entries(dataset, lake)
    if manifest_of(dataset, entries).hash != wanted:
        raise ChangedFileError(
            f"The files in {_places(dataset)} are not those that were planned: some came, changed or were deleted "
            "meanwhile. Run `up` again."
        )
    return entries


def _entries(dataset: Dataset, lake: Lake) -> Sequence[Entry]:
    found = [
        Entry(table, address, name, blob)
        for table, address in addresses(dataset).items()
        for name, blob in listed(address, lake)
    ]
    if isinstance(dataset, CriteoDataset):
        return latest(sorted(found, key=lambda entry: natural(entry.name)), dataset.days, dataset.path)
    if unknown := [entry.whole for entry in found if not entry.blob.name.endswith(SUFFIXES)]:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        raise SpecError(
            f"The format of {unknown[0]}{more} is unknown. Tables are files that end in {listed_suffixes()}: move "
            "others elsewhere, or rename them."
        )
    return _of_days(config_of(dataset).interactions, found)


def _of_days(interactions: Source, found: Sequence[Entry]) -> Sequence[Entry]:
    """The files of all tables, of the interactions only those of the days that are read."""
    if interactions.days is None:
        return found
    events = [entry for entry in found if entry.table == "interactions"]
    kept = latest_days((entry.name for entry in events), interactions.days, interactions.shown)
    others = [entry for entry in found if entry.table != "interactions"]
    return [entry for entry in events if entry.name in kept] + others


def manifest_of(dataset: Dataset, entries: Sequence[Entry]) -> Manifest:
    """The manifest of these files."""
    spec = config_of(dataset)
    return manifest(
        dataset.kind,
        f"{len(entries):,} file(s) in {_places(dataset)}",
        [entry.file for entry in entries],
        names=[entry.name for entry in entries],
        meaning=meaning(spec, {table: Path(table) for table in spec.sources}),
    )


def write_copy_of(dataset: Dataset, entries: Sequence[Entry], folder: Path, places: Mapping[str, Path]) -> None:
    """Write the config of these files at these `places` of their tables into a folder, and their manifest."""
    names = {table: tuple(one.name for one in entries if one.table == table and one.name) for table in places}
    write_config(folder, config_of(dataset), places, names)
    write_record(manifest_of(dataset, entries), folder)


def _places(dataset: Dataset) -> str:
    return " and ".join(map(str, sorted(set(addresses(dataset).values()))))


def _fetched(store: Path, entry: Entry, lake: Lake, on_bytes: Callable[[int], None]) -> Path:
    """The file with this ETag in the store of fetched files."""
    version = f"{entry.address.account} {entry.address.container} {entry.blob.name} {entry.blob.etag}"
    kept = store / hashlib.sha256(version.encode()).hexdigest()
    if not kept.exists():
        store.mkdir(parents=True, exist_ok=True)
        with files.written_aside(kept) as partial:
            lake.fetch(entry.address, entry.blob, partial, on_bytes)
    return kept


def _check(copy: Path, given: Mapping[str, Address]) -> None:
    """Raise what the quick check of a copy finds, with the `given` addresses in place of the copy's paths."""
    spec = load_copy(copy)
    try:
        look_at(table_rules(spec))
    except DatasetError as error:
        text = str(error)
        for table, source in spec.sources.items():
            text = text.replace(source.shown, str(given[table]))
        raise type(error)(text) from error


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
