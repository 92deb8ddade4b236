"""Verified downloads, which continue where a connection was cut."""

import hashlib
import time
from pathlib import Path
from typing import BinaryIO

import httpx
import msgspec
import tenacity
from tenacity.wait import wait_base

from features.errors import reason
from features.files import written_aside
from training.errors import DownloadError
from training.tables.progress import STAGE, Reporter

ATTEMPTS = 8
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


class TransientError(Exception):
    """A failure that may not occur again."""


BACK_OFF = tenacity.wait_random_exponential(multiplier=1, max=60)


def download(
    url: str,
    target: Path,
    *,
    report: Reporter,
    size: int | None = None,
    checksum: Checksum | None = None,
    wait: wait_base = BACK_OFF,
) -> None:
    """Download `url` to `target`, and check its size and checksum if they are known.

    Raises `DownloadError` if the server fails `ATTEMPTS` times or the file is not the expected one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((httpx.TransportError, TransientError)),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait,
        reraise=True,
    )
    with written_aside(target) as aside:
        try:
            with aside.open("wb") as stream:
                retrying(_continue, url, stream, report)
        except (httpx.HTTPError, TransientError) as error:
            raise DownloadError(
                f"{url} could not be downloaded: {reason(error)}. Check the address and the network, or give the path "
                "of a local copy."
            ) from error
        got = aside.stat().st_size
        problem = f"it has {got:,} bytes instead of {size:,}" if size is not None and got != size else None
        if not problem and checksum and (actual := checksum.of(aside)) != checksum.value:
            problem = f"its {checksum.kind} checksum is {actual} instead of {checksum.value}"
        if problem:
            raise DownloadError(f"{url} is not the expected file: {problem}. Try again, or give a local copy.")


def _continue(url: str, stream: BinaryIO, report: Reporter) -> None:
    """Append what is missing to `stream`, or write everything again if the server knows no ranges."""
    start, next_report = stream.tell(), 0.0
    headers = {"Accept-Encoding": "identity"}  # compression would change the byte positions
    if start:
        headers["Range"] = f"bytes={start}-"
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as response:
        if response.status_code in _TRANSIENT:
            raise TransientError(f"the server answered {response.status_code}")
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            start = stream.seek(0)
            stream.truncate()
        total = start + int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        # Pieces of any size: if they were collected into larger ones, the last would be lost with the connection.
        for chunk in response.iter_raw():
            stream.write(chunk)
            done = stream.tell()
            if done == total or time.monotonic() >= next_report:
                next_report = time.monotonic() + REPORT_SECONDS
                whole = f" of {total / 1e6:,.1f}" if total else ""
                report(STAGE, f"{done / 1e6:,.1f}{whole} MB downloaded", done=done, total=total)
