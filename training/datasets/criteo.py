"""Criteo's rows as a table whose files name no columns, from local files or downloads."""

from collections.abc import Sequence
from pathlib import Path

from features.schema import CRITEO
from training.datasets import published
from training.datasets.described import tables
from training.datasets.described.spec import Categorical, Label, Number, Source, TablesSpec
from training.datasets.errors import MissingFileError
from training.datasets.layout import latest, natural
from training.datasets.manifest import Manifest, manifest, require_planned
from training.datasets.progress import Reporter, silent
from training.parameters import CriteoDataset


def config(path: Path, names: Sequence[str] = ()) -> TablesSpec:
    """The config of the rows in a file, or in a folder's files with these `names`."""
    columns = (CRITEO.label, *CRITEO.features)
    return TablesSpec(
        interactions=Source(path=path, files=tuple(names), separator="\t", quote="", columns=columns),
        label=Label(column=CRITEO.label),
        numeric=tuple(Number(column=name) for name in CRITEO.numeric),
        categorical=tuple(Categorical(column=name) for name in CRITEO.categorical),
    )


def describe(dataset: CriteoDataset) -> Manifest:
    """The manifest of the dataset's files; published ones are identified by their checksum or address."""
    source = published.SOURCES.get(dataset.path)
    if source is None:
        return tables.describe(dataset.kind, spec_of(dataset), dataset.path)
    files = latest([published.describe(source)], dataset.days, source.url)
    return manifest(dataset.kind, f"Criteo rows from {source.url}", files, meaning=tables.SPEC)


def materialize(dataset: CriteoDataset, folder: Path, report: Reporter, wanted: str | None = None) -> None:
    """Copy or download the files into `folder`; raises `DatasetError` if one changes meanwhile, or isn't `wanted`."""
    if dataset.path in published.SOURCES:
        require_planned(describe(dataset), wanted)
        wanted = None
    tables.materialize(dataset.kind, spec_of(dataset, report), dataset.path, folder, report, wanted=wanted)


def spec_of(dataset: CriteoDataset, report: Reporter = silent) -> TablesSpec:
    """The config of the dataset's files. Each file of a folder is a day; published ones are downloaded."""
    if source := published.SOURCES.get(dataset.path):
        return config(published.fetch(source, report))
    path = Path(dataset.path).expanduser().absolute()
    if path.is_file():
        latest([path.name], dataset.days, dataset.path)
        return config(path)
    if not path.is_dir():
        raise MissingFileError(
            f"There is no file or folder {path}. Give the path of Criteo's rows, `sample` or `full`."
        )
    names = [file.name for file in path.iterdir() if file.is_file() and not file.name.startswith((".", "_"))]
    if not names:
        raise MissingFileError(f"The folder {path} holds no file. Put Criteo's files (day_0.gz ...) into it.")
    return config(path, latest(sorted(names, key=natural), dataset.days, dataset.path))
