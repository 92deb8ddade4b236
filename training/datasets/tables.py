"""A dataset of tables: interactions, joined with users and items on their keys where these have a table."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec
import yaml

from training.config import TablesSpec, meaning
from training.datasets.manifest import (
    File,
    Manifest,
    copy_checked,
    local_file,
    manifest,
    require_planned,
    write_record,
    written_aside,
)
from training.tables.columns import table_rules
from training.tables.delta import write_copy
from training.tables.files import TableFile, files_of, load_spec, suffix
from training.tables.progress import STAGE, Reporter
from training.tables.quick import look_at

Files = Mapping[str, Sequence[TableFile]]
"""The files of each table."""

SPEC = "dataset.yaml"
"""The config beside a materialized dataset's tables."""


def describe(kind: str, spec: TablesSpec, shown: str | Path) -> Manifest:
    """The manifest of tables and their config, which messages call `shown`.

    Raises the fitting `DatasetError` if the quick check of the tables finds anything wrong.
    """
    files = _files(spec)
    listed = _listed(files)
    dropped = look_at(table_rules(spec))
    return msgspec.structs.replace(_manifest(kind, spec, shown, files, listed), dropped=dropped)


def _manifest(kind: str, spec: TablesSpec, shown: str | Path, files: Files, listed: Sequence[File]) -> Manifest:
    versions = {table: own[0].delta.number for table, own in files.items() if own[0].delta}
    *others, last = (
        (name.capitalize() if name == "interactions" else name)
        + (f" (version {versions[name]})" if name in versions else "")
        for name in spec.tables
    )
    names = f"{', '.join(others)} and {last}" if others else last
    said = meaning(spec, _names(spec, files))
    return manifest(kind, f"{names} of {shown}", listed, versions=versions, meaning=said)


def materialize(
    kind: str, spec: TablesSpec, shown: str | Path, folder: Path, report: Reporter, *, wanted: str | None = None
) -> None:
    """Copy the tables and their config to `folder`, Delta tables as Parquet files.

    Raises `DatasetError` if a table changes meanwhile, or if they have not the manifest hash `wanted`.
    """
    files = _files(spec)
    listed = _listed(files)
    places = {
        table: Path(table if source.is_folder else table + suffix(source.paths[0], source.separator))
        for table, source in spec.sources.items()
    }
    copied = _manifest(kind, spec, shown, files, listed)
    require_planned(copied, wanted)
    names = [
        places[table] / file.name if spec.sources[table].is_folder else places[table]
        for table, own in files.items()
        for file in own
    ]
    with written_aside(folder) as aside:
        for done, (name, own, file) in enumerate(zip(names, chain(*files.values()), listed, strict=True), start=1):
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            if own.delta:
                write_copy(own.path, own.delta, aside / name)
            else:
                copy_checked(own.path, aside / name, file.identity)
            report(STAGE, f"{done} of {len(listed)} files copied", done=done, total=len(listed))
        listings = {
            table: tuple(file.name for file in own)
            for table, own in files.items()
            if spec.sources[table].is_folder and not own[0].delta
        }
        write_config(aside, spec.with_tables(version=dict.fromkeys(spec.sources)), places, listings)
        if copied.versions:  # a later description would be of a newer version
            write_record(copied, aside)


def write_config(
    folder: Path, spec: TablesSpec, places: Mapping[str, Path], files: Mapping[str, Sequence[str]]
) -> None:
    """Write the config of a copy into its folder, with other paths, and the `files` of tables that are folders."""
    moved = spec.with_tables(path=places, files=files).model_dump(mode="json")
    (folder / SPEC).write_text(yaml.safe_dump(moved, sort_keys=False), encoding="utf-8")


def _files(spec: TablesSpec) -> Files:
    return {table: files_of(source) for table, source in spec.sources.items()}


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
        table: tuple(Path(file.name) for file in own) if spec.sources[table].is_folder else Path(table)
        for table, own in files.items()
    }


def load_copy(folder: Path) -> TablesSpec:
    """The config of a stack's copy of a dataset. Raises like `load_spec`."""
    return load_spec(folder / SPEC)
