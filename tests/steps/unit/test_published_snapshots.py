"""What a training run read is given to its version, and nothing that was withdrawn comes back."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from recommend import catalogue, histories
from recommend.catalogue import State
from recommend.histories import Histories
from recommend.stored import FOLDER, SnapshotError
from steps.folders import StackFolder
from steps.snapshots_here import LocalSnapshots
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots

FIRST, SECOND = Path("a" * 64), Path("b" * 64)
"""Bundles; they only have names here."""


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    return StackFolder(tmp_path / "stack")


@pytest.fixture
def snapshots(folder: StackFolder, tmp_path: Path) -> LocalSnapshots:
    """Snapshots of a first version, from the run in `tmp_path / "run"`."""
    write_snapshots(tmp_path / "run" / FOLDER)
    made = LocalSnapshots(folder)
    made.publish(FIRST, None, tmp_path / "run")
    return made


def users(folder: StackFolder, version: Path) -> list[str]:
    return Histories(folder.snapshots_of(version.name) / histories.FILE, []).active_users()


def withdrawn(folder: StackFolder, version: Path) -> set[str]:
    rows, _ = catalogue.read_rows(folder.snapshots_of(version.name) / catalogue.FILE)
    return {row.key for row in rows if row.state is State.WITHDRAWN}


def withdraw(former: Path, target: Path) -> None:
    rows, layout = catalogue.read_rows(former)
    catalogue.write(target, [row._replace(state=State.WITHDRAWN) if row.key == "a" else row for row in rows], layout)


def test_only_their_owner_reads_them(folder: StackFolder, snapshots: LocalSnapshots) -> None:
    del snapshots
    own = folder.snapshots_of(FIRST.name)
    modes = [path.stat().st_mode & 0o777 for path in (folder.snapshots, own, own / histories.FILE)]
    assert modes == [0o700, 0o700, 0o600]


def test_another_version_has_its_own_and_what_was_withdrawn_stays_so(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path
) -> None:
    snapshots.change_catalogue(FIRST.name, withdraw)
    run = write_snapshots(tmp_path / "second" / FOLDER)
    histories.write(run / histories.FILE, ["b"], [histories.UserRow("u9", b"\0\0\0\0", {})], "user_id")
    snapshots.publish(SECOND, FIRST.name, run.parent)
    assert (users(folder, FIRST), users(folder, SECOND)) == (["3", "u1"], ["u9"])
    assert withdrawn(folder, SECOND) == {"a"}
    snapshots.publish(FIRST, SECOND.name, None)
    assert users(folder, FIRST) == ["3", "u1"], "it was kept"
    snapshots.publish(SECOND, FIRST.name, run.parent)
    assert withdrawn(folder, SECOND) == {"a"}, "also by the same run"


def test_a_load_changes_the_catalogues_of_all_versions(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path
) -> None:
    snapshots.publish(SECOND, FIRST.name, tmp_path / "run")
    snapshots.change_catalogue(SECOND.name, withdraw)
    assert withdrawn(folder, FIRST) == withdrawn(folder, SECOND) == {"a"}


def test_a_run_that_made_no_histories_leaves_the_users_known_that_are_known(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path
) -> None:
    snapshots.publish(SECOND, FIRST.name, tmp_path / "another run")
    assert users(folder, SECOND) == ["3", "u1"]
    snapshots.keep({SECOND.name})
    assert users(folder, SECOND) == ["3", "u1"]
    assert not folder.snapshots_of(FIRST.name).exists()


def test_an_older_version_knows_nobody_and_has_the_items_of_its_own_and_of_the_catalogue(
    folder: StackFolder, snapshots: LocalSnapshots, older: Path
) -> None:
    snapshots.publish(older, FIRST.name, None)
    assert Histories(folder.snapshots_of(older.name) / histories.FILE, []).find("u1") is None
    rows, _ = catalogue.read_rows(folder.snapshots_of(older.name) / catalogue.FILE)
    assert [row.key for row in rows] == ["a", "b", "c", "d", "old", "17"]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The bundle of an older version, one of whose items is no longer in the data."""
    return make_recommending_bundle(tmp_path / "older", replace(recommender(), items=["a", "old", "c", "d", "17"]))


def test_who_is_forgotten_stays_in_the_histories_that_are_kept_until_they_go(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path
) -> None:
    before = {file: file.stat() for file in folder.path.rglob("*") if file.is_file()}
    snapshots.forget("u1")
    assert {file: file.stat() for file in before} == before, "nothing is written again"
    assert snapshots.having("u1") == [FIRST.name]
    assert snapshots.having("nobody") == []
    run = write_snapshots(tmp_path / "second" / FOLDER)
    histories.write(run / histories.FILE, ["b"], [histories.UserRow("u9", b"", {})], "user_id")
    snapshots.publish(SECOND, FIRST.name, run.parent)
    assert (snapshots.having("u1"), snapshots.having("u9.")) == ([FIRST.name], [])
    assert snapshots.remember("u1")
    assert not snapshots.remember("u1")
    snapshots.keep({SECOND.name})
    assert snapshots.having("u1") == []


def test_a_version_whose_histories_are_gone_knows_nobody_and_keeps_its_items(
    folder: StackFolder, snapshots: LocalSnapshots
) -> None:
    own = folder.snapshots_of(FIRST.name)
    before = catalogue.read_rows(own / catalogue.FILE)
    (own / histories.FILE).unlink()
    snapshots.publish(FIRST, FIRST.name, None)
    assert Histories(own / histories.FILE, []).find("u1") is None
    assert catalogue.read_rows(own / catalogue.FILE) == before


def test_histories_that_cannot_be_read_stop_neither_a_rollback_nor_who_forgets(
    folder: StackFolder, snapshots: LocalSnapshots
) -> None:
    os.truncate(folder.snapshots_of(FIRST.name) / histories.FILE, 5000)
    assert not snapshots.knows_users(FIRST.name)
    snapshots.forget("u1")
    assert snapshots.having("u1") == [FIRST.name], "they may be in it"


@pytest.mark.parametrize("failing", ["pathlib.Path.mkdir", "os.link"])
def test_a_full_disk_is_told_and_changes_nothing(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(failing, full)
    with pytest.raises(SnapshotError, match="No space left on device"):
        snapshots.publish(SECOND, FIRST.name, tmp_path / "run")
    assert users(folder, FIRST) == ["3", "u1"]


def test_histories_that_a_killed_process_left_aside_go_with_the_next_change(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path
) -> None:
    own = folder.snapshots_of(FIRST.name)
    left = own / f".{histories.FILE}.0123456789abcdef"
    left.hardlink_to(own / histories.FILE)
    snapshots.publish(SECOND, FIRST.name, tmp_path / "run")
    assert sorted(path.name for path in own.iterdir()) == [catalogue.FILE, histories.FILE]


def test_a_load_that_fails_for_one_version_changes_none(
    folder: StackFolder, snapshots: LocalSnapshots, tmp_path: Path
) -> None:
    snapshots.publish(SECOND, FIRST.name, tmp_path / "run")
    os.truncate(folder.snapshots_of(FIRST.name) / catalogue.FILE, 5000)
    with pytest.raises(SnapshotError):
        snapshots.change_catalogue(SECOND.name, withdraw)
    assert withdrawn(folder, SECOND) == set()
