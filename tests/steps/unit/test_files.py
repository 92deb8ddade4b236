"""Atomic writes: a file or folder is complete under its name, or not there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from features.bundle import checked_hash
from features.files import UNREADABLE, stamp, write_private, write_whole, written_aside
from recommend import catalogue, histories
from recommend.catalogue import Layout
from steps.registry_here import LocalRegistry
from tests.support.bundles import make_bundle


def fail_after(make: Callable[[Path], object], target: Path) -> None:
    with written_aside(target) as aside:
        make(aside)
        raise ZeroDivisionError


def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    write_whole(file, "first")
    with pytest.raises(ZeroDivisionError):
        fail_after(lambda aside: aside.write_text("half"), file)
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    with written_aside(folder) as aside:
        aside.mkdir()
        (aside / "model").write_text("trees")
        assert not folder.exists()
    assert (folder / "model").read_text() == "trees"


def test_a_link_points_elsewhere_and_what_it_pointed_to_stays(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "current").symlink_to("old")
    with written_aside(tmp_path / "current") as aside:
        aside.symlink_to("new")
    assert (tmp_path / "current").readlink() == Path("new")
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new", "current"}


def test_a_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "secret")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def write_catalogue(target: Path) -> None:
    catalogue.write(target, [], Layout(item_column="item", separators={}))


def register(target: Path) -> None:
    bundle = make_bundle(target / "trained", rows=100, trees=1)
    LocalRegistry(target).whole(checked_hash(bundle), source=bundle)


@pytest.mark.parametrize(
    "write", [lambda target: write_private(target, "Zoë"), histories.write_empty, write_catalogue, register]
)
def test_the_disk_has_all_content_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    flushed: set[tuple[int, int]] = set()
    lacking: list[list[str]] = []
    rename = os.replace

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        flushed.add((status.st_ino, status.st_size))

    def checked(source: Path, target: Path) -> None:
        files = [(path, path.stat()) for path in (source, *source.rglob("*")) if path.is_file()]
        lacking.append([path.name for path, status in files if (status.st_ino, status.st_size) not in flushed])
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, checked)
    write(tmp_path / "new")
    assert lacking == [[]]


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_none(tmp_path: Path) -> None:
    """A link to itself can't be followed by anybody, and a name of 300 bytes is too long."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    assert [stamp(tmp_path / name) for name in ("loop", "n" * 300)] == [UNREADABLE] * 2
    assert [stamp(tmp_path / name) for name in ("none", "file/below")] == [None] * 2
    assert stamp(tmp_path / "file") not in {None, UNREADABLE}
