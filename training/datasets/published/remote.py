"""Criteo's published files and other remote rows, cached after the download."""

import gzip
import hashlib
import shutil
import tarfile
from pathlib import Path

import msgspec
from tenacity.wait import wait_base

from training.datasets.errors import DownloadError, TruncatedFileError
from training.datasets.gzipped import DAMAGED, is_gzip
from training.datasets.manifest import WHOLE, File
from training.datasets.placed.address import address_of
from training.datasets.progress import STAGE, Reporter
from training.datasets.published.download import BACK_OFF, CHUNK_BYTES, Checksum, download, probe
from training.runtime import cache_folder


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A remote file: rows, or an archive (.tar.gz) with the rows in `member`. `size` is in bytes."""

    url: str
    member: str | None = None
    size: int | None = None
    checksum: Checksum | None = None


PUBLISHED = {
    # Criteo's sample of 100,000 rows, from the Git repository of the Recommenders project. The checksum is the file's
    # blob in that repository at commit db16fa9; Criteo publishes none.
    "sample": Source(
        url="https://github.com/recommenders-team/datasets/raw/main/Criteo/dac_sample.tar.gz",
        member="dac_sample.txt",
        checksum=Checksum(kind="git-blob", value="071beac319f1a836b0eb2d961e4fc5f5a1e5603e"),
    ),
    # The challenge's whole training set, 45,840,617 rows, from Criteo. The server reported the size in August 2026. No
    # checksum is published; gzip's only protects against damage.
    "full": Source(
        url="https://go.criteo.net/criteo-research-kaggle-display-advertising-challenge-dataset.tar.gz",
        member="train.txt",
        size=4_576_820_670,
    ),
}
"""Neither file could be downloaded where this was written, so both addresses are unverified."""


def source_of(path: str) -> Source | None:
    """The remote file that a dataset's `path` means, or None for a local path or one in Azure Storage."""
    if path in PUBLISHED:
        return PUBLISHED[path]
    if not path.startswith(("http://", "https://")) or address_of(path) is not None:
        return None
    if path.endswith((".tar.gz", ".tgz", ".zip")):
        raise DownloadError(f"{path} is an archive. Give the URL of a plain or gzip file of rows.")
    return Source(url=path)


def describe(source: Source) -> File:
    """The file's entry in a manifest. A published or cached file needs no network.

    Raises `DownloadError` if the server does not answer and the file is not cached.
    """
    if source.checksum:
        return File(partition=WHOLE, path=source.url, size=source.size or 0, identity=source.checksum.value)
    if source.size:
        return File(partition=WHOLE, path=source.url, size=source.size, identity=source.url)
    note = _folder(source) / "file.json"
    try:
        version = probe(source.url)
    except DownloadError:
        if not note.exists():
            raise
        return msgspec.json.decode(note.read_bytes(), type=File)
    mark = version.mark or f"{source.url} {version.size}"
    return File(partition=WHOLE, path=source.url, size=version.size or 0, identity=mark)


def fetch(source: Source, report: Reporter, *, wait: wait_base = BACK_OFF) -> Path:
    """The local file of the rows, downloaded and unpacked if this version is not cached.

    Raises `DownloadError` or `TruncatedFileError` if that fails.
    """
    file = describe(source)
    folder = _folder(source)
    note = folder / "file.json"
    here = sorted(folder.glob("rows.*"))
    if here and note.exists() and msgspec.json.decode(note.read_bytes(), type=File) == file:
        return here[0]
    for outdated in here:
        outdated.unlink()
    fetched = folder / "download"
    download(source.url, fetched, report=report, size=source.size, checksum=source.checksum, wait=wait)
    if source.member:
        report(STAGE, f"unpacking {source.member}")
        rows = _unpack(fetched, source.member, folder / "rows.tsv")
    else:
        rows = fetched.replace(folder / ("rows.tsv.gz" if is_gzip(fetched) else "rows.tsv"))
    note.write_bytes(msgspec.json.encode(file))
    return rows


def _folder(source: Source) -> Path:
    return cache_folder() / "downloads" / hashlib.sha256(source.url.encode()).hexdigest()[:16]


def _unpack(archive: Path, member: str, target: Path) -> Path:
    """Write the archive's file `member` to `target`, and remove the archive.

    Only that file's bytes are used, under our own name, so an archive can't write anywhere else. The archive is read to
    its end, which has gzip's checksum.
    """
    aside = target.with_name(target.name + ".partial")
    found = False
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as entries:
            for entry in entries:
                content = entries.extractfile(entry) if entry.isfile() and Path(entry.name).name == member else None
                if content:
                    found = True
                    with aside.open("wb") as output:
                        shutil.copyfileobj(content, output, CHUNK_BYTES)
            while stream.read(CHUNK_BYTES):
                pass
    except (*DAMAGED, tarfile.TarError) as error:
        archive.unlink()
        aside.unlink(missing_ok=True)
        raise TruncatedFileError(f"The downloaded archive is damaged: {error}. Run the command again.") from error
    archive.unlink()
    if not found:
        raise DownloadError(f"The downloaded archive has no file {member}. Give a local copy of the rows.")
    return aside.replace(target)
