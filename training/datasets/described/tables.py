"""A dataset of tables: interactions, joined with users and items on their keys where these have a table."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec
import yaml

from training.datasets.described.columns import table_rules
from training.datasets.described.delta import write_copy
from training.datasets.described.files import TableFile, files_of, load_spec, suffix
from training.datasets.described.quick import dropped, joined, look_at
from training.datasets.described.spec import Source, TablesSpec, meaning
from training.datasets.layout import copy_checked, written_aside
from training.datasets.manifest import File, Manifest, local_file, manifest, require_planned, write_record
from training.datasets.progress import STAGE, Reporter
from training.parameters import TablesDataset

Files = Mapping[str, Sequence[TableFile]]
"""The files of each table."""

SPEC = "dataset.yaml"
"""The config beside a materialized dataset's tables."""


def describe(dataset: TablesDataset) -> Manifest:
    """The manifest of the tables and their config.

    Raises the fitting `DatasetError` if a file or column is missing, the config is not valid, or the quick check of the
    tables finds anything wrong.
    """
    spec = load_spec(dataset.spec)
    files = _files(spec)
    listed = _listed(files)
    looked = look_at(table_rules(spec))
    first = "" if looked.whole else "the first "
    dropped_rows = joined(looked.found, spec, first) if dropped(looked.found) else ""
    return msgspec.structs.replace(_manifest(dataset, spec, files, listed), dropped=dropped_rows)


def _manifest(dataset: TablesDataset, spec: TablesSpec, files: Files, listed: Sequence[File]) -> Manifest:
    versions = {table: own[0].delta.number for table, own in files.items() if own[0].delta}
    *others, last = (
        (name.capitalize() if name == "interactions" else name)
        + (f" (version {versions[name]})" if name in versions else "")
        for name in spec.tables
    )
    names = f"{', '.join(others)} and {last}" if others else last
    return manifest(
        dataset.kind,
        f"{names} of {dataset.spec}",
        listed,
        versions=versions,
        meaning=meaning(spec, _names(spec, files)),
    )


def materialize(
    dataset: TablesDataset, folder: Path, report: Reporter, versions: Mapping[str, int], wanted: str | None = None
) -> None:
    """Copy the tables and their config to `folder`, these `versions` of Delta tables as Parquet files.

    Raises `DatasetError` if a table changes meanwhile, or if they have not the manifest hash `wanted`.
    """
    spec = load_spec(dataset.spec).with_versions(versions)
    files = _files(spec)
    listed, places = _listed(files), _places(spec)
    copied = _manifest(dataset, spec, files, listed)
    require_planned(copied, wanted)
    with written_aside(folder) as aside:
        for done, (name, own, file) in enumerate(
            zip(_copies(spec, files, places), chain(*files.values()), listed, strict=True), start=1
        ):
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            if own.delta:
                write_copy(own.path, own.delta, aside / name)
            else:
                copy_checked(own.path, aside / name, file.identity)
            report(STAGE, f"{done} of {len(listed)} files copied", done=done, total=len(listed))
        moved = spec.with_paths(places).with_versions(dict.fromkeys(spec.tables))
        (aside / SPEC).write_text(yaml.safe_dump(moved.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
        if copied.versions:  # a later description would be of a newer version
            write_record(copied, aside)


def _files(spec: TablesSpec) -> Files:
    return {table: files_of(source) for table, source in spec.tables.items()}


def _listed(files: Files) -> list[File]:
    return [
        File(partition=table, path=str(file.path), size=file.size, identity=str(file.delta))
        if file.delta
        else local_file(file.path, table)
        for table, own in files.items()
        for file in own
    ]


def _names(spec: TablesSpec, files: Files) -> dict[str, Path | tuple[Path, ...]]:
    """What identifies each table's files besides their contents: the table's name, or their names in its folder."""
    return {
        table: tuple(Path(file.name) for file in own) if _is_folder(spec.tables[table]) else Path(table)
        for table, own in files.items()
    }


def _is_folder(source: Source) -> bool:
    return len(source.paths) > 1 or source.paths[0].is_dir()


def _places(spec: TablesSpec) -> dict[str, Path]:
    """The place of each table in the copy."""
    return {
        table: Path(table) if _is_folder(source) else Path(table + suffix(source.paths[0]))
        for table, source in spec.tables.items()
    }


def _copies(spec: TablesSpec, files: Files, places: Mapping[str, Path]) -> list[Path]:
    """The place of each file in the copy."""
    return [
        places[table] / file.name if _is_folder(spec.tables[table]) else places[table]
        for table, own in files.items()
        for file in own
    ]


def spec_of(dataset: TablesDataset, folder: Path | None) -> TablesSpec:
    """The config of the copy in `folder`, or else the dataset's own."""
    return load_copy(folder) if folder else load_spec(dataset.spec)


def load_copy(folder: Path) -> TablesSpec:
    """The config of a stack's copy of a dataset. Raises like `load_spec`."""
    return load_spec(folder / SPEC)
