"""Criteo's published files, cached after the download."""

import gzip
import hashlib
import shutil
import tarfile
from pathlib import Path

import msgspec
from tenacity.wait import wait_base

from features.files import written_aside
from training.datasets.download import BACK_OFF, CHUNK_BYTES, Checksum, download
from training.datasets.errors import DownloadError, TruncatedFileError
from training.datasets.gzipped import DAMAGED
from training.datasets.manifest import WHOLE, File
from training.datasets.progress import STAGE, Reporter
from training.runtime import cache_folder


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An archive (.tar.gz) with the rows in `member`. `size` is in bytes."""

    url: str
    member: str
    size: int | None = None
    checksum: Checksum | None = None


SOURCES = {
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


def describe(source: Source) -> File:
    """The file's entry in a manifest, for which no network is needed."""
    identity = source.checksum.value if source.checksum else source.url
    return File(partition=WHOLE, path=source.url, size=source.size or 0, identity=identity)


def fetch(source: Source, report: Reporter, *, wait: wait_base = BACK_OFF) -> Path:
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
