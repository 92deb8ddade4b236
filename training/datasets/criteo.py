"""Criteo's rows as a table whose files name no columns, from local files or what Criteo published."""

import gzip
import hashlib
import re
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from tenacity.wait import wait_base

from features.files import written_aside
from features.schema import CRITEO
from training.config import Categorical, Label, Number, Source, TablesSpec
from training.datasets import tables
from training.datasets.download import BACK_OFF, CHUNK_BYTES, Checksum, download
from training.datasets.manifest import WHOLE, File, Manifest, manifest, require_planned
from training.errors import DownloadError, MissingFileError, SpecError, TruncatedFileError
from training.parameters import CriteoDataset
from training.runtime import cache_folder
from training.tables.opening import DAMAGED
from training.tables.progress import STAGE, Reporter, silent

Item = TypeVar("Item")


def natural(name: str) -> list[tuple[int, str]]:
    """A key for sorting names, by which day_10 comes after day_9."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece]


def latest(files: Sequence[Item], days: int, shown: str) -> Sequence[Item]:
    """The last `days` of a folder's files, one per day, or all for 0; raises `SpecError` if there are fewer.

    `shown` is the folder's name.
    """
    if len(files) < days:
        raise SpecError(
            f"`days` asks for the last {days} files of {shown}, which has {len(files)}. Write `days: {len(files)}`, or "
            "wait until there are more."
        )
    return files[-days:]


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
    source = SOURCES.get(dataset.path)
    if source is None:
        return tables.describe(dataset.kind, spec_of(dataset), dataset.path)
    identity = source.checksum.value if source.checksum else source.url  # for which no network is needed
    file = File(partition=WHOLE, path=source.url, size=source.size or 0, identity=identity)
    files = latest([file], dataset.days, source.url)
    return manifest(dataset.kind, f"Criteo rows from {source.url}", files, meaning=tables.SPEC)


def materialize(dataset: CriteoDataset, folder: Path, report: Reporter, wanted: str | None = None) -> None:
    """Copy or download the files into `folder`; raises `DatasetError` if one changes meanwhile, or isn't `wanted`."""
    if dataset.path in SOURCES:
        require_planned(describe(dataset), wanted)
        wanted = None
    tables.materialize(dataset.kind, spec_of(dataset, report), dataset.path, folder, report, wanted=wanted)


def spec_of(dataset: CriteoDataset, report: Reporter = silent) -> TablesSpec:
    """The config of the dataset's files. Each file of a folder is a day; published ones are downloaded."""
    if source := SOURCES.get(dataset.path):
        return config(fetch(source, report))
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


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """An archive (.tar.gz) with the rows in `member`. `size` is in bytes."""

    url: str
    member: str
    size: int | None = None
    checksum: Checksum | None = None


SOURCES = {
    # Criteo's sample of 100,000 rows, from the Git repository of the Recommenders project. The checksum is the file's
    # blob in that repository at commit db16fa9; Criteo publishes none.
    "sample": Published(
        url="https://github.com/recommenders-team/datasets/raw/main/Criteo/dac_sample.tar.gz",
        member="dac_sample.txt",
        checksum=Checksum(kind="git-blob", value="071beac319f1a836b0eb2d961e4fc5f5a1e5603e"),
    ),
    # The challenge's whole training set, 45,840,617 rows, from Criteo. The server reported the size in August 2026. No
    # checksum is published; gzip's only protects against damage.
    "full": Published(
        url="https://go.criteo.net/criteo-research-kaggle-display-advertising-challenge-dataset.tar.gz",
        member="train.txt",
        size=4_576_820_670,
    ),
}
"""Neither file could be downloaded where this was written, so both addresses are unverified."""


def fetch(source: Published, report: Reporter, *, wait: wait_base = BACK_OFF) -> Path:
    """The local file of the rows, downloaded and unpacked if it is not cached.

    Raises `DownloadError` or `TruncatedFileError` if that fails.
    """
    folder = cache_folder() / "downloads" / hashlib.sha256(source.url.encode()).hexdigest()[:16]
    rows, archive = folder / "rows.tsv", folder / "download"
    if not rows.exists():
        download(source.url, archive, report=report, size=source.size, checksum=source.checksum, wait=wait)
        report(STAGE, f"unpacking {source.member}")
        _unpack(archive, source.member, rows)
    return rows


def _unpack(archive: Path, member: str, target: Path) -> None:
    """Write the archive's file `member` to `target`, and remove the archive.

    Only that file's bytes are used, under our own name, so an archive can't write anywhere else. The archive is read to
    its end, which has gzip's checksum.
    """
    try:
        with (
            gzip.open(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|") as entries,
            written_aside(target) as aside,
        ):
            for entry in entries:
                content = entries.extractfile(entry) if entry.isfile() and Path(entry.name).name == member else None
                if content:
                    with aside.open("wb") as output:
                        shutil.copyfileobj(content, output, CHUNK_BYTES)
            while stream.read(CHUNK_BYTES):
                pass
            if not aside.exists():
                raise DownloadError(f"The downloaded archive has no file {member}. Give a local copy of the rows.")
    except (*DAMAGED, tarfile.TarError) as error:
        raise TruncatedFileError(f"The downloaded archive is damaged: {error}. Run the command again.") from error
    finally:
        archive.unlink()
