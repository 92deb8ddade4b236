"""What a training run read is put where the service follows it, and nothing that was withdrawn comes back."""

from pathlib import Path

from recommend import catalogue, histories
from recommend.catalogue import State
from recommend.histories import Histories
from recommend.stored import FOLDER
from steps.local.snapshots import LocalSnapshots
from steps.shared.folders import StackFolder
from steps.shared.run_folder import OUTPUT
from tests.support.recommenders import write_snapshots


def test_histories_are_replaced_and_what_was_withdrawn_stays_so(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "stack")
    snapshots = LocalSnapshots(folder)
    write_snapshots(tmp_path / "run" / FOLDER)
    snapshots.publish(tmp_path / "run")
    served, items = folder.snapshots / histories.FILE, folder.snapshots / catalogue.FILE
    assert Histories(served, ["b"]).find("u1") is not None
    assert (served.stat().st_mode & 0o777, folder.snapshots.stat().st_mode & 0o777) == (0o600, 0o700)

    rows, layout = catalogue.read_rows(items)
    withdrawn = [row._replace(state=State.WITHDRAWN) if row.key == "a" else row for row in rows]
    catalogue.write(items, withdrawn, layout)
    snapshots.publish(tmp_path / "run")
    assert {row.key for row in catalogue.read_rows(items)[0] if row.state is State.WITHDRAWN} == {"a"}


def test_a_run_without_users_removes_the_histories(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "stack")
    snapshots = LocalSnapshots(folder)
    write_snapshots(tmp_path / "run" / FOLDER)
    snapshots.publish(tmp_path / "run")
    snapshots.publish(tmp_path / "another run")
    assert not (folder.snapshots / histories.FILE).exists()


def test_a_forgotten_user_is_in_no_histories_also_after_a_run_that_began_before(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "stack")
    snapshots = LocalSnapshots(folder)
    runs = [folder.runs / name / OUTPUT for name in ("one", "two")]
    for run in runs:
        write_snapshots(run / FOLDER)
    (runs[1] / "work" / "rows").mkdir(parents=True)
    snapshots.publish(runs[0])
    assert snapshots.forget("u1") == 3
    files = [folder.snapshots / histories.FILE, *(run / FOLDER / histories.FILE for run in runs)]
    for file in files:
        assert Histories(file, ["b"]).find("u1") is None
        assert Histories(file, ["b"]).active_users() == ["3"]
        assert Histories(file, ["b"]).find("u2") is not None
        assert file.stat().st_mode & 0o777 == 0o600
    assert not (runs[1] / "work").exists()
    assert snapshots.forget("u1") == 0, "they are gone already"

    write_snapshots(runs[1] / FOLDER)
    snapshots.publish(runs[1])
    assert Histories(files[0], ["b"]).find("u1") is None
    assert snapshots.remember("u1")
    assert not snapshots.remember("u1")
    write_snapshots(runs[1] / FOLDER)
    snapshots.publish(runs[1])
    assert Histories(files[0], ["b"]).find("u1") is not None
