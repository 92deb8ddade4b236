"""A dataset of tables: interactions, joined with users and items on their keys where these have a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from training.datasets.described.columns import table_rules
from training.datasets.described.files import TableFile, files_of, suffix
from training.datasets.described.quick import look_at
from training.datasets.described.sources import Source
from training.datasets.described.spec import TablesSpec, load_spec
from training.datasets.errors import PositivesOnlyError
from training.datasets.layout import copy_checked, written_aside
from training.datasets.manifest import File, Manifest, local_file, manifest
from training.datasets.progress import STAGE, Reporter
from training.parameters import TablesDataset

Files = Mapping[str, Sequence[TableFile]]
"""The files of each table."""

SPEC = "dataset.yaml"
"""The config beside a materialized dataset's tables."""


def describe(dataset: TablesDataset) -> Manifest:
    """The manifest of the tables and their config.

    Raises the fitting `DatasetError` if a file or column is missing, the config is not valid, or the quick check of the
    tables finds anything wrong; and `PositivesOnlyError` after the check, as long as nothing trains on positives alone.
    """
    spec = load_spec(dataset.spec)
    files = _files(spec)
    listed = _listed(files)
    look_at(table_rules(spec))
    require_negatives(dataset, spec)
    meaning = spec.with_paths(_names(spec, files)).model_dump(mode="json")
    *others, last = (name.capitalize() if name == "interactions" else name for name in spec.tables)
    names = f"{', '.join(others)} and {last}" if others else last
    return manifest(dataset.kind, f"{names} of {dataset.spec}", listed, meaning=meaning)


def require_negatives(dataset: TablesDataset, spec: TablesSpec) -> None:
    """Raise `PositivesOnlyError` for a dataset on which nothing trains yet."""
    if not spec.label.column:
        raise PositivesOnlyError(
            f"{dataset.spec} says `label: positives`, and nothing trains on positives alone yet: a click model also "
            "needs rows that were seen and not clicked. Add them, and name the column that tells them apart as the "
            "label."
        )


def materialize(dataset: TablesDataset, folder: Path, report: Reporter) -> None:
    """Copy the tables and their config to `folder`; raises `DatasetError` if one changes meanwhile."""
    spec = load_spec(dataset.spec)
    files = _files(spec)
    listed, places = _listed(files), _places(spec)
    with written_aside(folder) as aside:
        for done, (name, file) in enumerate(zip(_copies(spec, files, places), listed, strict=True), start=1):
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            copy_checked(Path(file.path), aside / name, file.identity)
            report(STAGE, f"{done} of {len(listed)} files copied", done=done, total=len(listed))
        content: dict[str, object] = spec.with_paths(places).model_dump(mode="json")
        (aside / SPEC).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _files(spec: TablesSpec) -> Files:
    return {table: files_of(source) for table, source in spec.tables.items()}


def _listed(files: Files) -> list[File]:
    return [local_file(file.path, table) for table, own in files.items() for file in own]


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
    return load_spec(folder / SPEC if folder else dataset.spec)
