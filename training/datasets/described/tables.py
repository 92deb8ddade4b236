"""A dataset of tables: interactions, joined with users and items on their keys where these have a table."""

from pathlib import Path

import yaml

from training.datasets.described.columns import table_rules
from training.datasets.described.quick import look_at
from training.datasets.described.spec import SUFFIXES, TablesSpec, load_spec
from training.datasets.errors import PositivesOnlyError
from training.datasets.layout import copy_checked, written_aside
from training.datasets.manifest import File, Manifest, local_file, manifest
from training.datasets.progress import STAGE, Reporter
from training.parameters import TablesDataset

SPEC = "dataset.yaml"
"""The config beside a materialized dataset's tables."""


def describe(dataset: TablesDataset) -> Manifest:
    """The manifest of the tables and their config.

    Raises the fitting `DatasetError` if a file or column is missing, the config is not valid, or the quick check of the
    tables finds anything wrong; and `PositivesOnlyError` after the check, as long as nothing trains on positives alone.
    """
    spec = load_spec(dataset.spec)
    files = _files(spec)
    look_at(table_rules(spec))
    require_negatives(dataset, spec)
    meaning = spec.with_paths({table: Path(table) for table in spec.tables}).model_dump(mode="json")
    *others, last = (name.capitalize() if name == "interactions" else name for name in spec.tables)
    names = f"{', '.join(others)} and {last}" if others else last
    return manifest(dataset.kind, f"{names} of {dataset.spec}", files, meaning=meaning)


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
    files = {file.partition: file for file in _files(spec)}
    names = {table: Path(table + suffix(path)) for table, path in spec.tables.items()}
    with written_aside(folder) as aside:
        for done, (table, path) in enumerate(spec.tables.items(), start=1):
            copy_checked(path, aside / names[table], files[table].identity)
            report(STAGE, f"{done} of {len(names)} tables copied", done=done, total=len(names))
        content: dict[str, object] = spec.with_paths(names).model_dump(mode="json")
        (aside / SPEC).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _files(spec: TablesSpec) -> list[File]:
    return [local_file(path, table) for table, path in spec.tables.items()]


def suffix(path: Path) -> str:
    """The suffix of a table's name, which tells its format."""
    return next(known for known in sorted(SUFFIXES, key=len, reverse=True) if path.name.endswith(known))


def spec_of(dataset: TablesDataset, folder: Path | None) -> TablesSpec:
    """The config of the copy in `folder`, or else the dataset's own."""
    return load_spec(folder / SPEC if folder else dataset.spec)
