"""Criteo's rows, from local files or downloads."""

from collections.abc import Sequence
from pathlib import Path

from features.files import sha256
from training.datasets.errors import DatasetError, MissingFileError
from training.datasets.gzipped import is_gzip
from training.datasets.layout import copy_checked, latest, natural, part, written_aside
from training.datasets.manifest import WHOLE, File, Manifest, local_file, manifest, require_planned
from training.datasets.progress import STAGE, Reporter
from training.datasets.published import remote
from training.parameters import CriteoDataset


def describe(dataset: CriteoDataset) -> Manifest:
    """The manifest of the dataset's files; published ones are identified by their checksum or address."""
    if source := remote.PUBLISHED.get(dataset.path):
        files = latest([remote.describe(source)], dataset.days, source.url)
        return manifest(dataset.kind, f"Criteo rows from {source.url}", files)
    files = [local_file(path, partition) for path, partition in _sources(dataset)]
    shown = f"Criteo rows from {dataset.path}, {len(files)} file(s)"
    return manifest(dataset.kind, shown, files)


def materialize(dataset: CriteoDataset, folder: Path, report: Reporter, wanted: str | None = None) -> None:
    """Copy or download the files into `folder`; raises `DatasetError` if one changes meanwhile, or isn't `wanted`."""
    source = remote.PUBLISHED.get(dataset.path)
    rows = remote.fetch(source, report) if source else None
    found = describe(dataset)
    require_planned(found, wanted)
    files = list(found.partitions)
    if rows:
        files = [File(partition=WHOLE, path=str(rows), size=rows.stat().st_size, identity=sha256(rows))]
    total = sum(file.size for file in files)
    with written_aside(folder) as aside:
        done = 0
        for number, file in enumerate(files):
            copy_checked(Path(file.path), part(aside, file.partition, number, _suffix(Path(file.path))), file.identity)
            done += file.size
            report(STAGE, f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB copied", done=done, total=total)


def fetch(dataset: CriteoDataset, report: Reporter) -> Sequence[Path]:
    """The dataset's files; remote ones are downloaded."""
    if source := remote.PUBLISHED.get(dataset.path):
        return [remote.fetch(source, report)]
    return [file for file, _ in _sources(dataset)]


def _sources(dataset: CriteoDataset) -> Sequence[tuple[Path, str]]:
    """The dataset's files, each with its partition. Each file of a folder is a partition; they are in natural order, so
    that day_10 comes after day_9."""
    path = Path(dataset.path).expanduser()
    if path.is_dir():
        found = (file for file in path.iterdir() if file.is_file() and not file.name.startswith((".", "_")))
        files = sorted(found, key=lambda file: natural(file.name))
        if not files:
            raise MissingFileError(f"The folder {path} holds no file. Put Criteo's files (day_0.gz ...) into it.")
        sources = [(file, file.name.split(".")[0]) for file in files]
    elif path.is_file():
        sources = [(path, WHOLE)]
    else:
        raise MissingFileError(
            f"There is no file or folder {path}. Give the path of Criteo's rows, `sample` or `full`."
        )
    kept = latest(sources, dataset.days, dataset.path)
    for file, _ in kept:
        _require_honest_suffix(file)
    return kept


def _suffix(path: Path) -> str:
    return ".tsv.gz" if path.suffix == ".gz" else ".tsv"


def _require_honest_suffix(file: Path) -> None:
    """Raise `DatasetError` if a file's name and content disagree about gzip, since Spark goes by the name."""
    compressed = is_gzip(file)
    if file.stat().st_size and compressed != (file.suffix == ".gz"):
        kind = "is gzip, but its name does not end in .gz" if compressed else "is not gzip, though it ends in .gz"
        raise DatasetError(f"The file {file} {kind}. Rename it.")
