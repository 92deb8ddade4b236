"""Volumes as the job's Python uses them: whole files in order, tried before a run."""

from pathlib import Path

import pytest

from training.databricks import VolumeError, copy_files, try_volumes
from training.platform import own_disk


def test_a_folder_is_copied_over_what_is_there(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "encoder").mkdir(parents=True)
    (source / "model.txt").write_text("trees")
    (source / "encoder" / "rates.npy").write_bytes(b"\0\1")
    target.mkdir()
    (target / "model.txt").write_text("an older and longer model")
    (target / "_OWNER").write_text("kept")
    copy_files(source, target)
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found == {"model.txt": b"trees", "encoder/rates.npy": b"\0\1", "_OWNER": b"kept"}


def test_a_job_tries_the_folders_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "part").write_text("row")
    try_volumes(read=[tmp_path / "data"], written=[tmp_path / "models" / "runs", tmp_path / "data"], placed={})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["part"]


def test_a_refusal_names_the_volume_and_the_grant(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("no folder")
    with pytest.raises(VolumeError, match=r"can't write to the volume .*Not a directory.*GRANT READ VOLUME"):
        try_volumes(read=[], written=[tmp_path / "models" / "runs"], placed={})
    with pytest.raises(VolumeError, match=r"can't read the volume .*Not a directory"):
        try_volumes(read=[tmp_path / "models"], written=[], placed={})
    with pytest.raises(VolumeError, match=r"can't read abfss://a@b/c by .*Not a directory.*Storage Blob Data Reader"):
        try_volumes(read=[], written=[], placed={tmp_path / "models": "abfss://a@b/c"})
    try_volumes(read=[tmp_path / "a champion that was deleted"], written=[], placed={})


def test_a_machine_s_own_disk_is_spark_s_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path},/other")
    assert own_disk() == tmp_path
    monkeypatch.delenv("SPARK_LOCAL_DIRS")
    assert own_disk().is_dir()
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path / "gone"))
    assert own_disk().is_dir()
