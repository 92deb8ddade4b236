"""A dataset in containers: its identity is the listing, and its files are fetched to train on."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from training.datasets.described.columns import table_rules
from training.datasets.described.files import SUFFIXES, latest_days, listed_suffixes, load_spec, suffix
from training.datasets.described.quick import look_at
from training.datasets.described.spec import Source, meaning, read_spec
from training.datasets.described.tables import SPEC
from training.datasets.errors import DatasetError, SpecError
from training.datasets.layout import latest, natural, part, written_aside
from training.datasets.manifest import WHOLE, File, Manifest, manifest, write_record
from training.datasets.placed.address import Address, address_of
from training.datasets.placed.listing import Blob, ChangedFileError, Lake, listed
from training.datasets.progress import STAGE, Reporter
from training.parameters import CriteoDataset, Dataset, TablesDataset

FETCHED = ".fetched"
"""Beside the copies of datasets: files by address and ETag, to which the copies are hard links."""


@dataclass(frozen=True)
class Entry:
    """A file of the dataset: its table, or the day that it is; the address that the config gives, and its name below
    that."""

    partition: str
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
        return File(partition=self.partition, path=str(self.whole), size=self.blob.size, identity=self.blob.etag)


def addresses(dataset: Dataset) -> Mapping[str, Address]:
    """The addresses in a dataset's config, by table; empty if its files are local, generated or downloaded.

    Raises `SpecError` for an address that no file can have, and if some tables are local and others are not.
    """
    match dataset:
        case TablesDataset(spec=spec):
            given = {table: _address(source) for table, source in read_spec(spec).tables.items()}
        case CriteoDataset(path=path):
            given = {WHOLE: address_of(path)}
        case _:
            return {}
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

    def on_bytes(size: int) -> None:
        nonlocal done
        done += size
        report(STAGE, f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB fetched", done=done, total=total)

    with written_aside(folder) as aside:
        for number, entry in enumerate(entries):
            target = _target(aside, dataset, entry, number)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(_fetched(folder.parent / FETCHED, entry, lake, on_bytes), target)
        if isinstance(dataset, TablesDataset):
            _check(dataset, aside, entries)
        write_record(manifest_of(dataset, entries), aside)


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
    if isinstance(dataset, TablesDataset):
        _require_formats(found)
        return _of_days(read_spec(dataset.spec).interactions, found)
    if not isinstance(dataset, CriteoDataset):
        return found
    days = [
        replace(entry, partition=entry.name.split(".")[0]) if entry.name else entry
        for entry in sorted(found, key=lambda entry: natural(entry.name))
    ]
    return latest(days, dataset.days, dataset.path)


def _require_formats(found: Sequence[Entry]) -> None:
    if unknown := [entry.whole for entry in found if not entry.blob.name.endswith(SUFFIXES)]:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        raise SpecError(
            f"The format of {unknown[0]}{more} is unknown. Tables are files that end in {listed_suffixes()}: move "
            "others elsewhere, or rename them."
        )


def _of_days(interactions: Source, found: Sequence[Entry]) -> Sequence[Entry]:
    """The files of all tables, of the interactions only those of the days that are read."""
    if interactions.days is None:
        return found
    events = [entry for entry in found if entry.partition == "interactions"]
    kept = latest_days((entry.name for entry in events), interactions.days, interactions.shown)
    others = [entry for entry in found if entry.partition != "interactions"]
    return [entry for entry in events if entry.name in kept] + others


def manifest_of(dataset: Dataset, entries: Sequence[Entry]) -> Manifest:
    """The manifest of these files."""
    said: dict[str, object] | None = None
    files = [entry.file for entry in entries]
    if isinstance(dataset, TablesDataset):
        spec = read_spec(dataset.spec)
        said = meaning(spec, {table: Path(table) for table in spec.tables})
    return manifest(
        dataset.kind,
        f"{len(entries):,} file(s) in {_places(dataset)}",
        files,
        names=[entry.name for entry in entries],
        meaning=said,
    )


def _places(dataset: Dataset) -> str:
    return " and ".join(map(str, sorted(set(addresses(dataset).values()))))


def _fetched(store: Path, entry: Entry, lake: Lake, on_bytes: Callable[[int], None]) -> Path:
    """The file with this ETag in the store of fetched files."""
    version = f"{entry.address.account} {entry.address.container} {entry.blob.name} {entry.blob.etag}"
    kept = store / hashlib.sha256(version.encode()).hexdigest()
    if not kept.exists():
        store.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        try:
            lake.fetch(entry.address, entry.blob, partial, on_bytes)
            partial.rename(kept)
        finally:
            partial.unlink(missing_ok=True)
    return kept


def _target(copy: Path, dataset: Dataset, entry: Entry, number: int) -> Path:
    if isinstance(dataset, CriteoDataset):
        return part(copy, entry.partition, number, ".tsv.gz" if entry.blob.name.endswith(".gz") else ".tsv")
    if not entry.name:
        return copy / (entry.partition + suffix(Path(entry.address.name)))
    return copy / entry.partition / entry.name


def _check(dataset: TablesDataset, copy: Path, entries: Sequence[Entry]) -> None:
    """Write the copy's config, and raise what the quick check finds, with addresses in place of the copy's paths."""
    given = addresses(dataset)
    places = {table: Path(_place(table, address, entries)) for table, address in given.items()}
    write_config(copy, dataset, places)
    try:
        look_at(table_rules(load_spec(copy / SPEC)))
    except DatasetError as error:
        text = str(error)
        for table, address in given.items():
            text = text.replace(str(copy / places[table]), str(address))
        raise type(error)(text) from error


def _place(table: str, address: Address, entries: Sequence[Entry]) -> str:
    """A table's place in a copy: a folder, or a file."""
    is_folder = any(entry.partition == table and entry.name for entry in entries)
    return table if is_folder else table + suffix(Path(address.name))


def write_config(
    folder: Path, dataset: TablesDataset, places: Mapping[str, Path], names: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write the dataset config with other paths, and `names` of the files of tables that are folders."""
    content = read_spec(dataset.spec).with_paths(dict(places)).model_dump(mode="json")
    for table, files in (names or {}).items():
        content[table]["files"] = files
    (folder / SPEC).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
