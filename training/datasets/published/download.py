"""Resumable, verified downloads.

The bytes go to `<name>.partial`. The server's version is stored beside it, so that only the same version is resumed.
"""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
import tenacity
from tenacity.wait import wait_base

from features.errors import reason
from training.datasets.errors import DownloadError
from training.datasets.progress import STAGE, Reporter
from training.model.unneeded import without

with without("click"):  # its own command line, and for that colours and highlighting
    import httpx

ATTEMPTS = 5
"""How often in a row a download may fail without any new byte."""

CHUNK_BYTES = 1 << 20
REPORT_SECONDS = 0.5
_TIMEOUT = httpx.Timeout(30.0)
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class Checksum(msgspec.Struct, frozen=True, kw_only=True):
    """A file's expected checksum. `git-blob` is Git's SHA-1 of a blob."""

    kind: str
    value: str

    def of(self, path: Path) -> str:
        """The checksum of this kind that `path` has."""
        match self.kind:
            case "git-blob":
                digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
            case _:
                digest = hashlib.new(self.kind)
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A file's version on a server: its size in bytes, if known, and a mark that changes with its content."""

    size: int | None
    mark: str


class TransientError(Exception):
    """A failure that may not occur again."""


BACK_OFF = tenacity.wait_random_exponential(multiplier=1, max=60)


def probe(url: str) -> Version:
    """The server's version of the file at `url`; raises `DownloadError` if the server does not answer.

    Requests the first byte instead of using HEAD, which signed storage URLs refuse.
    """
    try:
        with _get(url, {"Range": "bytes=0-0"}) as response:
            return _version(response)
    except (httpx.HTTPError, TransientError) as error:
        raise DownloadError(
            f"{url} cannot be reached: {error}. Check the address and the network, or give the path of a local copy."
        ) from error


def download(
    url: str,
    target: Path,
    *,
    report: Reporter,
    size: int | None = None,
    checksum: Checksum | None = None,
    wait: wait_base = BACK_OFF,
) -> None:
    """Download `url` to `target`, resuming an earlier attempt, and check its size and checksum if they are known.

    Raises `DownloadError` if the server fails `ATTEMPTS` times in a row, the file is not the expected one, the disk is
    too small, or another process is downloading it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    with _alone(partial) as stream:
        _Transfer(url, stream, partial.with_suffix(".version"), report).run(wait)
        got = stream.tell()
        problem = f"it has {got:,} bytes instead of {size:,}" if size is not None and got != size else None
        if not problem and checksum and (actual := checksum.of(partial)) != checksum.value:
            problem = f"its {checksum.kind} checksum is {actual} instead of {checksum.value}"
        if problem:
            partial.unlink()
            raise DownloadError(f"{url} is not the expected file: {problem}. Try again, or give a local copy.")
        partial.replace(target)


class _Transfer:
    """One download: appends to `stream` until the file is complete."""

    def __init__(self, url: str, stream: BinaryIO, note: Path, report: Reporter) -> None:
        self._url = url
        self._stream = stream
        self._note = note
        self._report = report
        self._failures = 0
        self._next_report = 0.0

    def run(self, wait: wait_base) -> None:
        """Retry until the file is complete; raises `DownloadError` after `ATTEMPTS` attempts without a new byte."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((httpx.TransportError, TransientError)),
            stop=lambda _: self._failures >= ATTEMPTS,
            wait=wait,
            reraise=True,
        )
        try:
            retrying(self._attempt)
        except (httpx.HTTPError, TransientError) as error:
            raise DownloadError(
                f"{self._url} could not be downloaded: {reason(error)}. "
                f"{self._stream.tell():,} bytes are kept; run the command again to resume."
            ) from error
        finally:
            self._stream.flush()
        self._note.unlink(missing_ok=True)

    def _attempt(self) -> None:
        before = self._stream.tell()
        try:
            self._continue(before)
        except (httpx.TransportError, TransientError):
            self._failures = 1 if self._stream.tell() > before else self._failures + 1
            raise

    def _continue(self, start: int) -> None:
        known = self._note.read_text() if self._note.exists() else ""
        headers = {"Range": f"bytes={start}-", "If-Range": known} if start and known else {}
        with _get(self._url, headers) as response:
            version = _version(response)
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and version.size == start:
                return
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                start = 0
                self._stream.truncate(0)
                self._stream.seek(0)
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise TransientError("the server's file is shorter than the part that was already downloaded")
            self._note.write_text(version.mark)
            self._require_space(version.size, start)
            # Pieces of any size: if they were collected into larger ones, the last would be lost with the connection.
            for chunk in response.iter_raw():
                self._stream.write(chunk)
                self._tell(version.size)
        if version.size is not None and self._stream.tell() < version.size:
            raise TransientError(f"the connection ended after {self._stream.tell():,} of {version.size:,} bytes")

    def _tell(self, size: int | None) -> None:
        done = self._stream.tell()
        if done != size and time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + REPORT_SECONDS
        whole = f" of {size / 1e6:,.1f}" if size else ""
        self._report(STAGE, f"{done / 1e6:,.1f}{whole} MB downloaded", done=done, total=size)

    def _require_space(self, size: int | None, start: int) -> None:
        free = shutil.disk_usage(self._note.parent).free
        if size is not None and size - start > free:
            raise DownloadError(
                f"{self._url} needs {(size - start) / 1e9:,.1f} GB, but {self._note.parent} has {free / 1e9:,.1f} GB "
                "left. Free some, or set PERSONALIZE_CACHE to a folder on another disk."
            )


@contextmanager
def _get(url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    # Compression would change the byte positions.
    headers = {"Accept-Encoding": "identity", **headers}
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as response:
        if response.status_code in _TRANSIENT:
            raise TransientError(f"the server answered {response.status_code}")
        if response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            response.raise_for_status()
        yield response


def _version(response: httpx.Response) -> Version:
    """Size and mark of the whole file, also from a response with a range of it."""
    _, _, total = response.headers.get("Content-Range", "").rpartition("/")
    if response.status_code == httpx.codes.OK:
        total = response.headers.get("Content-Length", "")
    size = int(total) if total.isdigit() else None
    mark = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    return Version(size=size, mark=mark)


@contextmanager
def _alone(partial: Path) -> Iterator[BinaryIO]:
    """The partial file, opened for appending and locked against other processes."""
    with partial.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DownloadError(f"Another process is downloading {partial}. Wait until it is done.") from error
        yield stream
