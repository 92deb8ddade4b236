"""`forget`: what it deletes and says, and what it refuses."""

import json
from pathlib import Path

import pytest

from features.errors import BadInputError
from personalize.commands import forget as command
from personalize.commands.forget import forget
from personalize.errors import StackMissingError
from recommend import histories
from recommend.histories import Histories
from steps.shared.folders import StackFolder
from tests.support.recommenders import write_snapshots


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFolder:
    """The folder of stack `local`, with histories."""
    monkeypatch.setattr(command, "azure_of", lambda *_: None)
    monkeypatch.setattr("personalize.stack.stack_files.state_folder", lambda stack: tmp_path / stack)
    found = StackFolder(tmp_path / "local")
    write_snapshots(found.snapshots)
    return found


def test_a_user_is_forgotten_until_it_is_undone(folder: StackFolder, capsys: pytest.CaptureFixture[str]) -> None:
    forget("u1", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"user": "u1", "forgotten": True, "files": 1}
    assert Histories(folder.snapshots / histories.FILE, []).find("u1") is None
    forget("u1")
    assert "u1 is forgotten, but nothing was stored about this user. What remains" in capsys.readouterr().out
    forget("u1", undo=True)
    with pytest.raises(BadInputError, match="u1 was not forgotten"):
        forget("u1", undo=True)


@pytest.mark.usefixtures("folder")
def test_nobody_is_not_forgotten() -> None:
    with pytest.raises(BadInputError, match="not empty"):
        forget("")


@pytest.mark.usefixtures("folder")
def test_a_stack_that_is_not_there_is_refused() -> None:
    with pytest.raises(StackMissingError, match="no stack other"):
        forget("u1", stack="other")
