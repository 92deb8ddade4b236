from pathlib import Path

import pytest

from training.stages.publish import publish, written_aside


def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with written_aside(target) as aside:
        (aside / "model.txt").write_text("model")
        assert not target.exists()
    assert (target / "model.txt").read_text() == "model"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "bundle"

    def fail() -> None:
        with written_aside(target) as aside:
            (aside / "model.txt").write_text("model")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "model.txt").write_text("former")

    def fail() -> None:
        with written_aside(target):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    assert (target / "model.txt").read_text() == "former"


def test_a_new_folder_takes_the_place_of_the_former(tmp_path: Path) -> None:
    target, new = tmp_path / "bundle", tmp_path / "new"
    for folder, text in ((target, "former"), (new, "new")):
        folder.mkdir()
        (folder / "model.txt").write_text(text)
    publish(new, target)
    assert (target / "model.txt").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
