"""Downloads continue after a cut, and are verified."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tenacity

from tests.support.file_server import Served, serving
from training import datasets
from training.datasets.errors import DownloadError, TruncatedFileError
from training.datasets.progress import silent
from training.datasets.published import download as downloads
from training.datasets.published import remote
from training.datasets.published.download import Checksum, download
from training.parameters import CriteoDataset

AT_ONCE = tenacity.wait_none()
CONTENT = bytes(range(256)) * 20_000
ROW = "\t".join(["1", *["3"] * 13, *["68fd1e64"] * 26]) + "\n"


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


def test_a_cut_download_continues_where_it_was_cut(tmp_path: Path) -> None:
    with serving(Served(content=CONTENT, cut_after=[2_000_000, 1_000_000])) as served:
        assert fetch(served, tmp_path / "to/rows") == CONTENT
    assert served.requests == [None, "bytes=2000000-", "bytes=3000000-"]


def test_an_address_that_does_not_answer_is_one_clear_error(tmp_path: Path) -> None:
    with serving(Served(content=b"")) as served:
        pass
    with pytest.raises(DownloadError, match=r"could not be downloaded: .* give the path of a local copy"):
        fetch(served, tmp_path / "to/rows")


def test_a_server_without_ranges_sends_everything_again(tmp_path: Path) -> None:
    with serving(Served(content=CONTENT, ranges=False, cut_after=[2_000_000])) as served:
        assert fetch(served, tmp_path / "to/rows") == CONTENT


def test_passing_server_errors_are_tried_again(tmp_path: Path) -> None:
    with serving(Served(content=CONTENT, failures=[503, 429, 500])) as served:
        assert fetch(served, tmp_path / "to/rows") == CONTENT


def test_lasting_server_errors_end_the_download(tmp_path: Path) -> None:
    with serving(Served(content=CONTENT, failures=[503] * 9)) as served, pytest.raises(DownloadError, match="503"):
        fetch(served, tmp_path / "to/rows")
    assert len(served.requests) == downloads.ATTEMPTS


def test_a_refused_address_is_not_tried_again(tmp_path: Path) -> None:
    with serving(Served(content=CONTENT, failures=[404] * 2)) as served, pytest.raises(DownloadError, match="404"):
        fetch(served, tmp_path / "to/rows")
    assert len(served.requests) == 1


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
        source = remote.Source(url=served.url, member="train.txt")
        rows = remote.fetch(source, silent)
    assert rows.read_text() == ROW
    assert [file.name for file in rows.parent.iterdir()] == ["rows.tsv"]
    assert remote.fetch(source, silent) == rows, "the server is gone"
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("escape.txt")] == []


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content[:-8] + b"\0" * 8])
def test_a_damaged_archive_is_refused(damage: Callable[[bytes], bytes]) -> None:
    content = damage(archive({"train.txt": ROW.encode() * 1_000}))
    with serving(Served(content=content)) as served, pytest.raises(TruncatedFileError, match="damaged"):
        remote.fetch(remote.Source(url=served.url, member="train.txt"), silent)


def test_an_archive_without_the_rows_is_refused() -> None:
    with (
        serving(Served(content=archive({"other.txt": b"x"}))) as served,
        pytest.raises(DownloadError, match=r"train\."),
    ):
        remote.fetch(remote.Source(url=served.url, member="train.txt"), silent)
