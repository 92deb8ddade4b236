"""The pinned release of the Pulumi CLI, from a server here: GitHub's own address is never asked."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from tools.setup import pulumi
from tools.versions import PULUMI

FAST = httpx.Timeout(0.3, connect=5)


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@contextmanager
def server(content: bytes, digest: str, *, stalls: bool = False) -> Iterator[str]:
    """The address of a release with these bytes and this checksum; it `stalls` in the middle until the test is over."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            is_sums = name == f"pulumi-{PULUMI}-checksums.txt"
            listed = f"{digest}  pulumi-v{PULUMI}-linux-x64.tar.gz\n{'0' * 64}  pulumi-v{PULUMI}-windows-x64.zip\n"
            body = listed.encode() if is_sums else content
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if is_sums or not stalls else body[: len(body) // 2])
            self.wfile.flush()
            if stalls and not is_sums:
                over.wait(60)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/releases"
        finally:
            over.set()
            running.shutdown()


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_a_release_is_fetched_and_only_its_cli_is_unpacked(tmp_path: Path) -> None:
    content, place = archive(pulumi=b"#!/bin/sh\n", other=b"x"), tmp_path / "v" / "bin" / "pulumi"
    with server(content, hashlib.sha256(content).hexdigest()) as address:
        assert pulumi.fetch(place, address) == ""
    assert place.read_bytes() == b"#!/bin/sh\n"
    assert place.stat().st_mode & 0o111
    assert [one.name for one in place.parent.iterdir()] == ["pulumi"]


@pytest.mark.parametrize(
    ("members", "wrong", "stalls", "problem"),
    [
        ({"pulumi": b"evil"}, True, False, "has not the SHA-256 that the release names"),
        ({"pulumi": b"slow" * 9_999}, False, True, "ReadTimeout"),
        ({"other": b"x"}, False, False, "pulumi/pulumi"),
    ],
)
def test_what_is_no_release_is_refused_and_leaves_nothing(
    tmp_path: Path, members: dict[str, bytes], problem: str, *, wrong: bool, stalls: bool
) -> None:
    content, place = archive(**members), tmp_path / "bin" / "pulumi"
    digest = "0" * 64 if wrong else hashlib.sha256(content).hexdigest()
    with server(content, digest, stalls=stalls) as address:
        assert problem in pulumi.fetch(place, address, FAST)
    assert not place.exists()


def test_where_no_release_can_be_had_the_cli_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(b"", "") as address:
        pass  # nothing listens there any more
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "built"
    monkeypatch.setattr(pulumi, "built", lambda _: (place, True))
    monkeypatch.setattr(pulumi.fetch, "__defaults__", (address, FAST))
    assert pulumi.ensure_pulumi() == place
    assert "ConnectError" in (said := capsys.readouterr().err)
    assert "so it is built from source, which takes minutes." in said
