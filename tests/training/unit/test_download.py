"""Downloads continue after a cut, and are verified."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import tenacity

from training import datasets
from training.datasets import criteo
from training.datasets import download as downloads
from training.datasets.download import Checksum, download
from training.errors import DownloadError, TruncatedFileError
from training.parameters import CriteoDataset
from training.tables.progress import silent

AT_ONCE = tenacity.wait_none()
CONTENT = bytes(range(256)) * 20_000
ROW = "\t".join(["1", *["3"] * 13, *["68fd1e64"] * 26]) + "\n"


@dataclass(kw_only=True)
class Served:
    """What is served and how. Each entry of `cut_after` ends one connection after so many bytes; the next requests get
    the status codes in `failures` instead."""

    content: bytes
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    requests: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, wanted: str | None) -> tuple[int, bytes]:
        """Status and body of the response to a request for these bytes."""
        if not wanted or not self.ranges:
            return 200, self.content
        return 206, self.content[int(wanted.removeprefix("bytes=").removesuffix("-")) :]


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """Serve until the block ends; `served.url` is the file's address, `served.requests` the ranges asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.requests.append(wanted)
            if served.failures:
                self.send_error(served.failures.pop(0))
                return
            status, body = served.answer(wanted)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if served.cut_after and len(body) > 1:
                body = body[: served.cut_after.pop(0)]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/rows.tsv"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(served: Served, target: Path, **expected: Any) -> bytes:
    download(served.url, target, report=silent, wait=AT_ONCE, **expected)
    assert [file.name for file in target.parent.iterdir()] == [target.name]
    return target.read_bytes()


def test_a_file_arrives_whole_and_says_how_far_it_is(tmp_path: Path) -> None:
    reports = []
    with serving(Served(content=CONTENT)) as served:
        download(served.url, tmp_path / "rows", report=lambda *said, **done: reports.append((said, done)))
    assert (tmp_path / "rows").read_bytes() == CONTENT
    assert reports[-1] == (("data", "5.1 of 5.1 MB downloaded"), {"done": len(CONTENT), "total": len(CONTENT)})


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        pytest.param({"cut_after": [2_000_000, 1_000_000]}, ["bytes=2000000-", "bytes=3000000-"], id="cut twice"),
        pytest.param({"cut_after": [2_000_000], "ranges": False}, ["bytes=2000000-"], id="without ranges"),
        pytest.param({"failures": [503, 429, 500]}, [None] * 3, id="passing errors"),
    ],
)
def test_a_download_goes_on_after_what_passes(tmp_path: Path, served: dict[str, Any], asked: list[str | None]) -> None:
    with serving(Served(content=CONTENT, **served)) as server:
        assert fetch(server, tmp_path / "to/rows") == CONTENT
    assert server.requests == [None, *asked]


@pytest.mark.parametrize(("status", "attempts"), [(503, downloads.ATTEMPTS), (404, 1)])
def test_what_does_not_pass_ends_the_download(tmp_path: Path, status: int, attempts: int) -> None:
    said = rf"could not be downloaded: .*{status}.* give the path of a local copy"
    with serving(Served(content=CONTENT, failures=[status] * 9)) as served, pytest.raises(DownloadError, match=said):
        fetch(served, tmp_path / "to/rows")
    assert len(served.requests) == attempts


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("sha256", hashlib.sha256(CONTENT).hexdigest()),
        ("git-blob", hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()),  # noqa: S324 - Git's own
    ],
)
def test_the_right_checksum_is_accepted_and_another_refused(tmp_path: Path, kind: str, value: str) -> None:
    with serving(Served(content=CONTENT)) as served:
        assert fetch(served, tmp_path / "to/rows", checksum=Checksum(kind=kind, value=value)) == CONTENT
        served.content = CONTENT[:-1] + b"x"
        with pytest.raises(DownloadError, match=f"its {kind} checksum is"):
            fetch(served, tmp_path / "other/rows", checksum=Checksum(kind=kind, value=value))
    assert list((tmp_path / "other").iterdir()) == []


def test_a_file_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    with serving(Served(content=b"short")) as served, pytest.raises(DownloadError, match="5 bytes instead of 6"):
        fetch(served, tmp_path / "to/rows", size=6)


def test_the_published_files_are_known_without_a_network() -> None:
    hashes = {datasets.describe(CriteoDataset(kind="criteo", path=name)).hash for name in ("sample", "full")}
    assert len(hashes) == 2


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_an_archive_is_unpacked_to_its_rows_and_nothing_else(tmp_path: Path) -> None:
    content = archive({"../../escape.txt": b"x", "dac/train.txt": ROW.encode(), "readme.txt": b"y"})
    with serving(Served(content=content)) as served:
        source = criteo.Published(url=served.url, member="train.txt")
        rows = criteo.fetch(source, silent)
    assert rows.read_text() == ROW
    assert [file.name for file in rows.parent.iterdir()] == ["rows.tsv"]
    assert criteo.fetch(source, silent) == rows, "the server is gone"
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("escape.txt")] == []


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content[:-8] + b"\0" * 8])
def test_a_damaged_archive_is_refused(damage: Callable[[bytes], bytes]) -> None:
    content = damage(archive({"train.txt": ROW.encode() * 1_000}))
    with serving(Served(content=content)) as served, pytest.raises(TruncatedFileError, match="damaged"):
        criteo.fetch(criteo.Published(url=served.url, member="train.txt"), silent)


def test_an_archive_without_the_rows_is_refused() -> None:
    with (
        serving(Served(content=archive({"other.txt": b"x"}))) as served,
        pytest.raises(DownloadError, match=r"train\."),
    ):
        criteo.fetch(criteo.Published(url=served.url, member="train.txt"), silent)
